/** "Saved" is true, and what is not saved is not lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ANN,
  BO,
  expectLines,
  expectStatus,
  listenIn,
  newPerson,
  openNote,
  parts,
  startStage,
  TestServer,
  textOf,
  TYPE_AUTH,
  TYPE_SYNC_STATUS,
} from './support.mjs';

const { server, browser } = await startStage();

/** A server that a test may kill without a loss to the others. */
async function ownServer(t) {
  const own = await TestServer.start();
  t.after(() => own.dispose());
  return own;
}

test('Saved appears only after the server has said that it stored', async () => {
  const { context } = await newPerson(browser, ANN);
  const page = await context.newPage();
  const held = [];
  let isHolding = false;
  await listenIn(page, (frame, pass) => {
    if (isHolding && parts(frame).type === TYPE_SYNC_STATUS) held.push(() => pass(frame));
    else pass(frame);
  });
  await openNote(page, server, 'held');
  await expectStatus(page, 'saved');
  isHolding = true;
  await textOf(page).click();
  await page.keyboard.type('ab');
  await expectStatus(page, 'saving');
  await page.waitForFunction(() => document.querySelector('.text').textContent === 'ab');
  // Another person has the text by now, so the server has had every chance to answer.
  const other = await context.newPage();
  await openNote(other, server, 'held');
  await expectLines(other, ['ab']);
  await expectStatus(page, 'saving');
  assert.ok(held.length >= 2, 'each change has its own answer');
  held.shift()();
  await expectStatus(page, 'saving');
  isHolding = false;
  for (const pass of held) pass();
  await expectStatus(page, 'saved');
  await context.close();
});

test('server that cannot store is named, and the text is stored once it can again', async () => {
  const { context } = await newPerson(browser, ANN);
  const page = await context.newPage();
  let isFailing = false;
  await listenIn(page, (frame, pass) => {
    const { type, body, address } = parts(frame);
    if (isFailing && type === TYPE_SYNC_STATUS && body[0] === 1) {
      pass(Buffer.concat([address, Buffer.from([TYPE_SYNC_STATUS, 0])]));
    } else pass(frame);
  });
  await openNote(page, server, 'full');
  await expectStatus(page, 'saved');
  isFailing = true;
  await textOf(page).click();
  await page.keyboard.type('kept');
  await expectStatus(page, 'notSaved');
  await page
    .locator('[data-save]', { hasText: 'Not saved: the server cannot store right now' })
    .waitFor();
  await page.getByText('Your text is kept on this device').waitFor();
  isFailing = false;
  await expectStatus(page, 'saved');
  await context.close();
});

test('refusal is shown in the words of the server, and writing stops', async () => {
  const { context } = await newPerson(browser, ANN);
  const page = await context.newPage();
  await listenIn(page, (frame, pass) => {
    const { type, address } = parts(frame);
    const reason = Buffer.from('this note is closed');
    if (type !== TYPE_AUTH) return;
    pass(Buffer.concat([address, Buffer.from([TYPE_AUTH, 1, reason.length]), reason]));
  });
  await page.goto(`${server.origin}/n/refused`);
  await page.locator('[data-save]', { hasText: 'Not saved: this note is closed' }).waitFor();
  await context.close();
});

test('text typed while the server is dead survives the tab and is merged', async (t) => {
  const server = await ownServer(t);
  const { context, faults } = await newPerson(browser, ANN);
  const bo = await newPerson(browser, BO);
  const page = await context.newPage();
  const boPage = await bo.context.newPage();
  await openNote(page, server, 'power-cut');
  await page.getByLabel('Title').fill('Power cut');
  await page.keyboard.press('Enter');
  await page.keyboard.type('before');
  await expectStatus(page, 'saved');
  await openNote(boPage, server, 'power-cut');
  await expectLines(boPage, ['before']);

  const typing = page.keyboard.type(' while the light goes out', { delay: 10 });
  await server.kill();
  await typing;
  await page.keyboard.press('Enter');
  await page.keyboard.type('offline');
  await expectStatus(page, 'offline');
  await page.locator('[data-save]', { hasText: 'Offline: kept on this device' }).waitFor();
  await textOf(boPage).click();
  await boPage.keyboard.press('Control+Home');
  await boPage.keyboard.type('Bo too. ');
  await expectStatus(boPage, 'offline');
  await page.close();

  await server.start();
  await expectStatus(boPage, 'saved');
  const again = await context.newPage();
  await openNote(again, server, 'power-cut');
  const lines = ['Bo too. before while the light goes out', 'offline'];
  await expectLines(again, lines);
  assert.equal(await again.getByLabel('Title').inputValue(), 'Power cut');
  await expectStatus(again, 'saved');
  await expectLines(boPage, lines);
  await expectStatus(boPage, 'saved');
  await again.goto(server.origin);
  await again.getByRole('link', { name: /Power cut/ }).waitFor();
  assert.equal(await again.getByText('Has text that only this device has').count(), 0);

  assert.deepEqual(faults, []);
  await context.close();
  await bo.context.close();
});

test('without a network the page says so and goes on', async () => {
  const { context } = await newPerson(browser, ANN);
  const page = await context.newPage();
  await openNote(page, server, 'tunnel');
  await expectStatus(page, 'saved');
  await context.setOffline(true);
  await textOf(page).click();
  await page.keyboard.type('in the tunnel');
  await page.locator('[data-save]', { hasText: 'Offline: kept on this device' }).waitFor();
  await context.setOffline(false);
  await expectStatus(page, 'saved');
  const { context: other } = await newPerson(browser, BO);
  const otherPage = await other.newPage();
  await openNote(otherPage, server, 'tunnel');
  await expectLines(otherPage, ['in the tunnel']);
  await context.close();
  await other.close();
});

test('browser without storage is named, and leaving unsaved text asks first', async (t) => {
  const server = await ownServer(t);
  const { context } = await newPerson(browser, ANN);
  await context.addInitScript(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException('denied', 'SecurityError');
    };
  });
  const page = await context.newPage();
  await openNote(page, server, 'no-storage');
  await page.getByText('This browser keeps nothing for this page').waitFor();
  await expectStatus(page, 'saved');
  await server.kill();
  await page.locator('[data-save]', { hasText: 'Offline: not kept on this device' }).waitFor();
  await textOf(page).click();
  await page.keyboard.type('unkept');
  const asked = page.waitForEvent('dialog');
  const leaving = page.close({ runBeforeUnload: true });
  const dialog = await asked;
  assert.equal(dialog.type(), 'beforeunload');
  await dialog.dismiss();
  await leaving;

  const askedAgain = page.waitForEvent('dialog');
  const following = page.getByRole('link', { name: 'Your notes' }).click();
  const secondDialog = await askedAgain;
  assert.equal(secondDialog.type(), 'beforeunload');
  await secondDialog.dismiss();
  await following;
  await expectLines(page, ['unkept']);
  await server.start();
  await expectStatus(page, 'saved');
  await context.close();
});
