/** The page itself: for everybody, on every width, in both themes, by keyboard alone. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  ANN,
  axeFindings,
  BO,
  expectLines,
  expectStatus,
  newPerson,
  openNote,
  startStage,
  textOf,
} from './support.mjs';

const TEXT = [
  '# To do',
  '',
  '- [x] Order compost',
  '- [ ] Mark out the beds',
  '',
  '## Notes',
  '',
  'Beans need **poles**, see [the guide](https://example.org).',
  '',
  '> Plant trees.',
  '',
  '```',
  'a very long line of code that is certainly wider than any telephone and has to scroll inside itself',
  '```',
  '',
  '| when | what | who | where | how |',
  '| --- | --- | --- | --- | --- |',
  '| Saturday | compost | Ann | south wall | wheelbarrow |',
].join('\n');

const { server, browser } = await startStage();

before(() => makePlan('plan'));

/** Writes a note that has something of everything in it. */
async function makePlan(id) {
  const { context } = await newPerson(browser, BO);
  const page = await context.newPage();
  await openNote(page, server, id);
  await page.getByLabel('Title').fill('Garden plan');
  await page.keyboard.press('Enter');
  await paste(page, TEXT);
  await page.locator('.text table').waitFor();
  await expectStatus(page, 'saved');
  await context.close();
}

/** Pastes plain text into whatever has the focus. */
function paste(page, text) {
  return page.evaluate((pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', pasted);
    const event = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true });
    document.activeElement.dispatchEvent(event);
  }, text);
}

async function openPlan(options, id = 'plan') {
  const person = await newPerson(browser, ANN, options);
  const page = await person.context.newPage();
  await openNote(page, server, id);
  await page.locator('.text table').waitFor();
  await expectStatus(page, 'saved');
  return { ...person, page };
}

for (const colorScheme of ['light', 'dark']) {
  describe(`axe finds nothing in the ${colorScheme} theme`, () => {
    test('on the home page', async () => {
      const { context } = await newPerson(browser, ANN, { colorScheme });
      const page = await context.newPage();
      await page.goto(server.origin);
      await page.getByText('No notes yet').waitFor();
      assert.deepEqual(await axeFindings(page), []);
      await openNote(page, server, 'plan');
      await expectStatus(page, 'saved');
      await page.goto(server.origin);
      await page.getByRole('button', { name: /^Remove “Garden plan”/ }).click();
      await page.getByRole('dialog').waitFor();
      assert.deepEqual(await axeFindings(page), []);
      await context.close();
    });

    test('on the note page, its menus and dialogs', async () => {
      const id = `plan-${colorScheme}`;
      await makePlan(id);
      const { context, page, faults } = await openPlan({ colorScheme }, id);
      assert.deepEqual(await axeFindings(page), []);
      for (const name of ['Keyboard shortcuts', /^You are Ann/]) {
        await page.getByRole('button', { name }).click();
        await page.getByRole('dialog').waitFor();
        assert.deepEqual(await axeFindings(page), []);
        await page.keyboard.press('Escape');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
      }
      await page.locator('.text h2').dblclick();
      await page.getByRole('toolbar').waitFor();
      assert.deepEqual(await axeFindings(page), []);
      await page.keyboard.press('Control+k');
      await page.getByLabel('Address').waitFor();
      assert.deepEqual(await axeFindings(page), []);
      await page.keyboard.press('Escape');
      await page.locator('.text h2').click();
      await page.keyboard.press('End');
      await page.keyboard.type(' /');
      await page.getByRole('listbox').waitFor();
      assert.deepEqual(await axeFindings(page), []);
      assert.deepEqual(faults, []);
      await context.close();
    });

    test('where there is nothing', async () => {
      const { context } = await newPerson(browser, ANN, { colorScheme });
      const page = await context.newPage();
      const response = await page.goto(`${server.origin}/nowhere`);
      await page.getByRole('heading', { name: 'There is nothing here' }).waitFor();
      assert.equal(response.status(), 404);
      assert.deepEqual(await axeFindings(page), []);
      await context.close();
    });
  });
}

for (const width of [320, 375, 720, 1280]) {
  test(`nothing scrolls sideways at ${width} pixels`, async () => {
    const { context, page } = await openPlan({ viewport: { width, height: 640 } });
    const overflow = () =>
      page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
    assert.equal(await overflow(), 0);
    await page.locator('.text h2').click();
    assert.equal(await overflow(), 0);
    await page.goto(server.origin);
    await page.getByRole('button', { name: 'New note' }).waitFor();
    assert.equal(await overflow(), 0);
    await context.close();
  });
}

test('on a telephone the list is a sheet, the format bar is docked, targets are large', async () => {
  const { context, page } = await openPlan({
    viewport: { width: 375, height: 640 },
    hasTouch: true,
    isMobile: true,
  });
  await page.locator('.text h2').tap();
  const bar = await page.getByRole('toolbar').boundingBox();
  assert.equal(Math.round(bar.y + bar.height), 640);
  for (const button of await page.getByRole('button').all()) {
    const box = await button.boundingBox();
    assert.ok(
      box.width >= 44 && box.height >= 44,
      `${await button.getAttribute('aria-label')} is large enough`,
    );
  }
  await page.getByRole('button', { name: 'Show the list of notes' }).tap();
  await page.getByRole('navigation').getByRole('link', { name: 'Garden plan' }).waitFor();
  assert.deepEqual(await axeFindings(page), []);
  await context.close();
});

test('pasted Markdown became blocks', async () => {
  const { context, page } = await openPlan();
  const tags = await textOf(page).evaluate((text) =>
    [...text.children].map((child) => child.tagName),
  );
  assert.deepEqual(tags, ['H1', 'UL', 'H2', 'P', 'BLOCKQUOTE', 'PRE', 'DIV']);
  assert.equal(await page.locator('.text a').getAttribute('href'), 'https://example.org');
  assert.equal(await page.locator('.text input:checked').count(), 1);
  await context.close();
});

test('a note is made, written, formatted and found again by keyboard alone', async () => {
  const { context, faults } = await newPerson(browser, ANN);
  const page = await context.newPage();
  await page.goto(server.origin);
  await tabTo(page, 'New note');
  await page.keyboard.press('Enter');
  await textOf(page).waitFor();
  await page.waitForFunction(() => document.activeElement?.getAttribute('role') === 'textbox');
  await page.keyboard.type('# Plan');
  await page.keyboard.press('Enter');
  await page.keyboard.type('/task');
  await page.getByRole('option', { name: 'Task list', selected: true }).waitFor();
  await page.keyboard.press('Enter');
  await page.keyboard.type('Order compost');
  await page.keyboard.press('Control+Enter');
  await page.locator('.text input:checked').waitFor();
  await page.keyboard.press('Enter');
  await page.keyboard.type('Dig');
  await page.keyboard.press('Tab');
  await page.locator('.text li li', { hasText: 'Dig' }).waitFor();
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Alt+ArrowUp');
  await expectLines(page, ['Plan', 'Dig', 'Order compost']);

  await page.keyboard.press('Control+Home');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.type('By keyboard');
  assert.equal(await page.locator('textarea').inputValue(), 'By keyboard');
  await page.keyboard.press('Enter');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Home');
  await page.keyboard.press('Shift+End');
  await page.getByRole('toolbar').waitFor();
  await page.keyboard.press('Alt+F10');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await page.locator('.text em', { hasText: 'Dig' }).waitFor();
  await page.keyboard.press('Escape');

  await page.keyboard.press('Control+k');
  await page.getByLabel('Address').fill('example.org');
  await page.keyboard.press('Enter');
  await page.locator('.text a[href="https://example.org"]', { hasText: 'Dig' }).waitFor();

  await page.keyboard.press('Escape');
  await page.keyboard.press('Shift+Tab');
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'TEXTAREA');

  await page.keyboard.press('F6');
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  await page.keyboard.press('Escape');
  await expectStatus(page, 'saved');
  await page.keyboard.press('Control+\\');
  await page.getByRole('navigation').waitFor({ state: 'detached' });

  await page.goto(server.origin);
  await tabTo(page, 'By keyboard');
  await page.keyboard.press('Enter');
  await expectLines(page, ['Plan', 'Dig', 'Order compost']);
  assert.deepEqual(faults, []);
  await context.close();
});

/** The browser draws no more frames, as a machine that is too busy for them. */
function drawNothing(page) {
  return page.evaluate(() => (globalThis.requestAnimationFrame = () => 0));
}

test('keys go into the text at once after a click below it, and after a button of the format bar', async () => {
  const { context } = await newPerson(browser, ANN);
  const page = await context.newPage();
  await openNote(page, server, 'at-once');
  const { x, y, height } = await page.locator('.area').boundingBox();
  const bold = { name: 'Bold', exact: true };
  await drawNothing(page);
  await page.mouse.click(x + 40, y + height - 10);
  await page.keyboard.type('one line');
  await expectLines(page, ['one line']);

  await page.keyboard.press('Shift+Home');
  await page.getByRole('button', bold).focus();
  await page.keyboard.press('Enter');
  await page.keyboard.type('another');
  await page.locator('.text strong', { hasText: /^another$/ }).waitFor();
  await context.close();
});

/** Presses Tab until the element of that name has the focus. */
async function tabTo(page, name) {
  await page.getByText(name).first().waitFor();
  for (let presses = 0; presses < 30; presses += 1) {
    await page.keyboard.press('Tab');
    const reached = page.locator('a:focus, button:focus', { hasText: name });
    if ((await reached.count()) > 0) return;
  }
  assert.fail(`${name} cannot be reached by Tab`);
}

test('slash menu closes by Escape and by finding nothing, and leaves the text as typed', async () => {
  const { context } = await newPerson(browser, ANN);
  const page = await context.newPage();
  await openNote(page, server, 'slash');
  await textOf(page).click();
  await page.keyboard.type('/');
  await page.getByRole('listbox').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('listbox').waitFor({ state: 'detached' });
  await page.keyboard.type('home and /xyz');
  await page.getByText('No block of that name').waitFor();
  await page.keyboard.press('Enter');
  await page.keyboard.type('next');
  await expectLines(page, ['/home and /xyz', 'next']);
  await context.close();
});

test('link is copied, and the list forgets a note on request', async () => {
  const { context } = await newPerson(browser, ANN, {
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const page = await context.newPage();
  await openNote(page, server, 'team/plan 2');
  await page.getByRole('button', { name: 'Copy link' }).click();
  await page.getByText('Link copied').waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, `${server.origin}/n/team/plan%202`);
  await expectStatus(page, 'saved');
  await page.goto(server.origin);
  await page.getByRole('button', { name: /^Remove/ }).click();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText('No notes yet').waitFor();
  assert.deepEqual(await page.evaluate(async () => (await indexedDB.databases()).length), 0);
  await context.close();
});

test('theme is chosen and kept', async () => {
  const { context } = await newPerson(browser, ANN, { colorScheme: 'light' });
  const page = await context.newPage();
  await page.goto(server.origin);
  await page.getByRole('button', { name: /^You are Ann/ }).click();
  await page.getByLabel('Dark').check();
  await page.reload();
  const background = await page.evaluate(
    () => getComputedStyle(document.documentElement).backgroundColor,
  );
  assert.equal(background, 'rgb(23, 24, 22)');
  await context.close();
});
