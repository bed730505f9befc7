/**
 * Text that lost its place is shown to whoever may write, and can be put back, copied and dismissed.
 * The server's list is played here, so that the page is tested with lists of any kind.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ANN,
  axeFindings,
  expectStatus,
  listenIn,
  newPerson,
  openNote,
  parts,
  startStage,
} from './support.mjs';

const { server, browser } = await startStage();

const TYPE_STATELESS = 5;
const HER_WORDS = {
  id: 'r1',
  at_ms: Date.now(),
  author: 'Ann',
  text: 'three hundred words by Ann',
  reason: 'deleted',
};
const LONG_WORDS = {
  id: 'r2',
  at_ms: Date.now() + 1,
  connection: 7,
  text: 'again and again '.repeat(40),
  reason: 'deleted',
};

/** A person with a note, and a server that keeps `list` aside for it; `asked` is what the page did. */
async function stage(id, list, options = {}) {
  const { context, faults } = await newPerson(browser, ANN, options);
  const page = await context.newPage();
  const asked = [];
  await page.route(`**/api/v1/documents/${id}/rescued**`, (route) => answer(route, list, asked));
  let tell = () => undefined;
  await listenIn(page, (frame, pass) => {
    tell = (payload) => pass(stateless(parts(frame).address, payload));
    pass(frame);
  });
  await openNote(page, server, id);
  await expectStatus(page, 'saved');
  return { context, page, faults, asked, tell: (payload) => tell(JSON.stringify(payload)) };
}

async function answer(route, list, asked) {
  const request = route.request();
  const [, textId] = /rescued\/([^/]+)/.exec(request.url()) ?? [];
  asked.push(`${request.method()} ${new URL(request.url()).pathname.split('/rescued')[1]}`);
  if (request.method() === 'GET') return route.fulfill({ json: { rescued: list } });
  list.splice(
    list.findIndex(({ id }) => id === textId),
    1,
  );
  return route.fulfill({ status: 204 });
}

function stateless(address, payload) {
  const text = Buffer.from(payload);
  return Buffer.concat([address, Buffer.from([TYPE_STATELESS, text.length]), text]);
}

const noticeOf = (page) => page.getByRole('region', { name: 'Text kept aside' });

test('text kept aside is shown with its author and put back', async () => {
  const { context, page, faults, asked } = await stage('aside', [HER_WORDS]);
  const notice = noticeOf(page);
  await notice.getByText('Text was kept aside').waitFor();
  await notice.getByText('three hundred words by Ann').waitFor();
  await notice.getByText(/^Ann, /).waitFor();
  await notice.getByRole('button', { name: 'Put back: three hundred words by Ann' }).click();
  await notice.waitFor({ state: 'detached' });
  await page.getByText('The text is back in the note.').waitFor();
  assert.deepEqual(asked, ['GET ', 'POST /r1/restore']);
  assert.deepEqual(faults, []);
  await context.close();
});

test('page asks again when the server says that the list has changed', async () => {
  const list = [];
  const { context, page, asked, tell } = await stage('news', list);
  assert.equal(await noticeOf(page).count(), 0);
  list.push(HER_WORDS);
  tell({ type: 'something else' });
  tell({ type: 'coscribe.rescued' });
  await noticeOf(page).getByText('three hundred words by Ann').waitFor();
  assert.deepEqual(asked, ['GET ', 'GET ']);
  await context.close();
});

test('all of it works by keyboard, and the focus stays in the page', async () => {
  const { context, page, asked } = await stage('by-keyboard', [HER_WORDS, LONG_WORDS]);
  const notice = noticeOf(page);
  await notice.getByRole('button', { name: /^Dismiss: three hundred/ }).focus();
  await page.keyboard.press('Enter');
  await notice.getByText('three hundred words by Ann').waitFor({ state: 'detached' });
  assert.match(await focusedText(page), /^Text was kept aside/);
  await page.keyboard.press('Tab');
  assert.match(await focusedText(page), /^Put back/);
  await page.keyboard.press('Enter');
  await notice.waitFor({ state: 'detached' });
  await page.waitForFunction(() => document.activeElement?.id === 'text');
  assert.deepEqual(asked, ['GET ', 'DELETE /r1', 'POST /r2/restore']);
  await context.close();
});

function focusedText(page) {
  return page.evaluate(() => document.activeElement?.textContent?.trim() ?? '');
}

test('whole text is copied, not its first words', async () => {
  const permissions = ['clipboard-read', 'clipboard-write'];
  const { context, page } = await stage('copied', [LONG_WORDS], { permissions });
  await noticeOf(page)
    .getByRole('button', { name: /^Copy: again/ })
    .click();
  await page.getByText('The text is on the clipboard.').waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, LONG_WORDS.text);
  await noticeOf(page).waitFor();
  await context.close();
});

test('refusal leaves the text where it is', async () => {
  const { context, page } = await stage('refused', [HER_WORDS]);
  await page.route('**/rescued/r1/restore', (route) => route.fulfill({ status: 503, json: {} }));
  await noticeOf(page)
    .getByRole('button', { name: /^Put back/ })
    .click();
  await page.getByText('The text is still kept').waitFor();
  await noticeOf(page).getByText('three hundred words by Ann').waitFor();
  await context.close();
});

for (const [name, options] of [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['phone', { viewport: { width: 390, height: 800 }, hasTouch: true }],
]) {
  test(`notice is accessible, keeps in view and fits: ${name}`, async () => {
    const { context, page } = await stage(`looks-${name}`, [HER_WORDS, LONG_WORDS], options);
    const notice = noticeOf(page);
    await notice.waitFor();
    assert.deepEqual(await axeFindings(page), []);
    await page.locator('.text').click();
    for (let line = 0; line < 40; line += 1) await page.keyboard.press('Enter');
    await page.keyboard.type('the last line');
    await notice.getByText('three hundred words by Ann').waitFor();
    const { y, width } = await notice.boundingBox();
    const bar = await page.locator('header.bar').boundingBox();
    assert.ok(y >= bar.height && y < bar.height + 20, `the notice is at ${y}`);
    const fits = await page.evaluate(
      () => document.documentElement.scrollWidth <= document.documentElement.clientWidth,
    );
    assert.ok(fits && width > 300);
    if (process.env.SCREENSHOTS !== undefined)
      await page.screenshot({ path: `${process.env.SCREENSHOTS}/rescued-${name}.png` });
    await context.close();
  });
}
