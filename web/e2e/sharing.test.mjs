/** The share dialog: from the person who makes a link to the one who opens it, and back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ANN,
  axeFindings,
  BO,
  expectLines,
  expectStatus,
  newPerson,
  startStage,
  textOf,
} from './support.mjs';

const { server, browser } = await startStage({ isLocked: true });

const CLIPBOARD = { permissions: ['clipboard-read', 'clipboard-write'] };

/** Opens a note as somebody who administers it. */
async function openAsAdmin(id, options = {}) {
  const token = server.token({ subject: 'ann', level: 'admin', documents: id });
  const { context, faults } = await newPerson(browser, ANN, { ...CLIPBOARD, ...options });
  const page = await context.newPage();
  await page.goto(`${server.origin}/n/${encodeURIComponent(id)}#token=${token}`);
  await expectStatus(page, 'saved');
  return { context, faults, page };
}

async function openDialog(page) {
  await page.getByRole('button', { name: 'Share', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Share this note' });
  await dialog.getByText('No links yet').waitFor();
  return dialog;
}

const clipboardOf = (page) => page.evaluate(() => navigator.clipboard.readText());

test('link is made, opened by somebody else, listed and revoked', async () => {
  const ann = await openAsAdmin('team/garden plan');
  await textOf(ann.page).click();
  await ann.page.keyboard.type('Beans');
  await expectStatus(ann.page, 'saved');
  const dialog = await openDialog(ann.page);
  await dialog.getByLabel('Anyone with the link can').selectOption('read and edit');
  await dialog.getByLabel('The link ends').selectOption('after 1 day');
  await dialog.getByLabel('For whom').fill('Bo');
  await dialog.getByRole('button', { name: 'Copy link' }).click();
  await dialog.getByText('Link copied').waitFor();
  const url = await clipboardOf(ann.page);
  assert.match(url, /^http:\/\/[^/]+\/n\/team\/garden%20plan#token=share-[\w-]{22}$/);
  assert.equal(await dialog.getByLabel('New link').inputValue(), url);
  const line = dialog.getByRole('listitem').filter({ hasText: 'Bo' });
  await line.filter({ hasText: 'Can read and edit · ends ' }).waitFor();

  const bo = await newPerson(browser, BO, CLIPBOARD);
  const boPage = await bo.context.newPage();
  await boPage.goto(url);
  await expectLines(boPage, ['Beans']);
  await textOf(boPage).click();
  await boPage.keyboard.press('Control+End');
  await boPage.keyboard.type(' and peas');
  await expectStatus(boPage, 'saved');
  await expectLines(ann.page, ['Beans and peas']);
  assert.equal(await boPage.getByRole('button', { name: 'Share', exact: true }).count(), 0);
  await boPage.getByRole('button', { name: 'Copy link' }).click();
  await boPage.getByText('for people who have access').waitFor();
  assert.equal(await clipboardOf(boPage), url.split('#')[0], 'who only writes hands on no rights');

  await dialog.getByRole('button', { name: 'Revoke Bo' }).click();
  await dialog.getByText('Bo no longer opens the note').waitFor();
  await dialog.getByText('No links yet').waitFor();
  await boPage.getByText('Your access was taken back').waitFor();
  await expectLines(boPage, ['Beans and peas']);
  assert.deepEqual([...ann.faults, ...bo.faults], []);
  await ann.context.close();
  await bo.context.close();
});

test('link for reading is made by keyboard alone, and the focus comes back', async () => {
  const { context, page, faults } = await openAsAdmin('by-keyboard');
  await page.getByRole('button', { name: 'Share', exact: true }).focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Share this note' });
  await dialog.getByText('No links yet').waitFor();
  await dialog.getByLabel('For whom').focus();
  await page.keyboard.type('Readers');
  await page.keyboard.press('Enter');
  await dialog.getByText('Link copied').waitFor();
  const revoke = dialog.getByRole('button', { name: 'Revoke Readers' });
  await dialog.getByText('Can read · does not end').waitFor();
  await revoke.focus();
  await page.keyboard.press('Enter');
  await dialog.getByText('Readers no longer opens the note').waitFor();
  await revoke.waitFor({ state: 'detached' });
  assert.ok(await dialog.evaluate((element) => element.contains(document.activeElement)));
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  const focused = await page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
  assert.equal(focused, 'Share');
  assert.deepEqual(faults, []);
  await context.close();
});

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing in the dialog, and it fits a telephone (${colorScheme})`, async () => {
    const { context, page, faults } = await openAsAdmin(`narrow-${colorScheme}`, {
      colorScheme,
      viewport: { width: 320, height: 640 },
      hasTouch: true,
      isMobile: true,
    });
    const dialog = await openDialog(page);
    await dialog.getByLabel('For whom').fill('Everybody who helps with the beds behind the house');
    await dialog.getByRole('button', { name: 'Copy link' }).tap();
    await dialog.getByRole('button', { name: /^Revoke/ }).waitFor();
    assert.deepEqual(await axeFindings(page), []);
    const overflow = await dialog.evaluate((box) => box.scrollWidth - box.clientWidth);
    assert.equal(overflow, 0);
    for (const button of await dialog.getByRole('button').all()) {
      const box = await button.boundingBox();
      assert.ok(box.height >= 44, `${await button.textContent()} is large enough`);
    }
    assert.deepEqual(faults, []);
    await context.close();
  });
}

test('server that cannot be reached is named, and nothing is called made', async () => {
  const { context, page } = await openAsAdmin('unreachable');
  const dialog = await openDialog(page);
  await page.route('**/api/v1/**', (route) => route.abort());
  await dialog.getByRole('button', { name: 'Copy link' }).click();
  await dialog.getByText('The server could not be reached').waitFor();
  assert.equal(await dialog.getByLabel('New link').count(), 0);
  await page.unroute('**/api/v1/**');
  await dialog.getByRole('button', { name: 'Copy link' }).click();
  await dialog.getByText('Link copied').waitFor();
  await context.close();
});

test('where the clipboard is refused, the link can be copied by hand', async () => {
  const { context, page } = await openAsAdmin('no-clipboard', { permissions: [] });
  await page.evaluate(() => {
    navigator.clipboard.writeText = () => Promise.reject(new DOMException('denied'));
    document.execCommand = () => false;
  });
  const dialog = await openDialog(page);
  await dialog.getByRole('button', { name: 'Copy link' }).click();
  await dialog.getByText('could not be copied').waitFor();
  await dialog.getByLabel('New link').focus();
  const selected = await page.evaluate(() => {
    const { value, selectionStart, selectionEnd } = document.activeElement;
    return value.slice(selectionStart, selectionEnd);
  });
  assert.match(selected, /#token=share-/);
  await context.close();
});
