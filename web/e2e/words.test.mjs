/** What the page says is true whatever happens to it, and stands where the person looks. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
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
  textOf,
  TYPE_SYNC_STATUS,
} from './support.mjs';

const { server, browser } = await startStage();

const LONG_TITLE =
  'A title of a hundred letters and more, which is longer than any bar is wide, on any screen';
const FULL = 'this change was not saved: the document is at its limit of 134217728 bytes';

async function open(id, options = {}) {
  const { context, faults } = await newPerson(browser, ANN, options);
  const page = await context.newPage();
  return { context, page, faults };
}

/** From now on the server turns everything down, for this reason. */
async function refusing(page, reason) {
  let isRefusing = false;
  await listenIn(page, (frame, pass) => {
    const { type, body, address } = parts(frame);
    if (!isRefusing || type !== TYPE_SYNC_STATUS || body[0] !== 1) return pass(frame);
    const words = Buffer.from(reason);
    const said = words.length === 0 ? [] : [words.length, ...words];
    return pass(Buffer.concat([address, Buffer.from([TYPE_SYNC_STATUS, 0, ...said])]));
  });
  return (next) => (isRefusing = next);
}

async function says(page, text) {
  await page.locator('[data-save]', { hasText: text }).waitFor();
}

/* A translated page went on saying "Saved" while nothing was saved any more. */
test('status is true also when a translation has taken its text nodes away', async () => {
  const { context, page } = await open('translated');
  await openNote(page, server, 'translated');
  await expectStatus(page, 'saved');
  await page.evaluate(() => {
    for (const node of document.querySelectorAll('[data-save], [role="status"], .banner p')) {
      const font = document.createElement('font');
      font.append(...node.childNodes);
      node.append(font);
    }
  });
  await context.setOffline(true);
  await says(page, /^Offline: kept on this device$/);
  // As when the translation of what stood there before arrives late.
  await page.evaluate(() => {
    document.querySelector('[data-save]').textContent = 'Gespeichert';
  });
  await says(page, /^Offline: kept on this device$/);
  await page.locator('[role="status"]', { hasText: /^Offline: kept on this device$/ }).waitFor();
  await context.setOffline(false);
  await says(page, /^Saved$/);
  await context.close();
});

/** Whether all of the sentence can be seen, and the page does not scroll sideways. */
function isSeenWhole(page) {
  return page.evaluate(() => {
    const status = document.querySelector('[data-save]');
    const range = document.createRange();
    range.selectNodeContents(status);
    const boxes = [...range.getClientRects()];
    const isSeen = ({ left, right, top, bottom }) => {
      const at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
      const isInside = left >= 0 && right <= innerWidth && top >= 0 && bottom <= innerHeight;
      return isInside && status.contains(at);
    };
    const isWide = document.documentElement.scrollWidth > innerWidth;
    return boxes.length > 0 && boxes.every(isSeen) && !isWide;
  });
}

for (const [width, height] of [
  [1280, 800],
  [1024, 768],
  [740, 800],
  [390, 844],
  // What 1280 × 800 is at 400 % zoom.
  [320, 200],
]) {
  test(`a long title cuts nothing off what the page says (${width} × ${height})`, async () => {
    const { context, page } = await open('long-title', { viewport: { width, height } });
    const refuse = await refusing(page, '');
    await openNote(page, server, `long-title-${width}`);
    await page.getByLabel('Title').fill(LONG_TITLE);
    await says(page, /^Saved$/);
    assert.ok(await isSeenWhole(page));
    refuse(true);
    await textOf(page).click();
    await page.keyboard.type('x');
    await says(page, 'Not saved: the server cannot store right now');
    assert.ok(await isSeenWhole(page));
    await context.setOffline(true);
    await page.keyboard.type('y');
    await says(page, /^Offline: kept on this device$/);
    assert.ok(await isSeenWhole(page));
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    assert.ok(await isSeenWhole(page));
    assert.deepEqual(await axeFindings(page), []);
    await context.close();
  });
}

function isInView(locator) {
  return locator.evaluate((element) => {
    const { top, bottom, left, right } = element.getBoundingClientRect();
    const at = document.elementFromPoint((left + right) / 2, top + 4);
    return top >= 0 && bottom <= innerHeight && element.contains(at);
  });
}

/* "The server cannot store right now … sent again by itself", for ever. */
for (const [width, height] of [
  [1280, 800],
  [390, 844],
]) {
  test(`full note says so where one reads, and what to do (${width} × ${height})`, async () => {
    const { context, page, faults } = await open('full', { viewport: { width, height } });
    const refuse = await refusing(page, FULL);
    await openNote(page, server, `full-${width}`);
    await textOf(page).click();
    for (let line = 0; line < 60; line += 1) await page.keyboard.press('Enter');
    await expectStatus(page, 'saved');
    refuse(true);
    await page.keyboard.type('one letter too many');
    await expectStatus(page, 'full');
    await says(page, /^Not saved: this note is full$/);
    const banner = page.locator('.banner', { hasText: 'This note is full (128 MB)' });
    await banner.getByText(/Your last text is on this device\. Move part of it/).waitFor();
    assert.ok((await page.evaluate(() => scrollY)) > 300);
    assert.ok(await isInView(banner));
    assert.deepEqual(await axeFindings(page), []);
    refuse(false);
    await expectStatus(page, 'saved');
    await banner.waitFor({ state: 'detached' });
    assert.deepEqual(faults, []);
    await context.close();
  });
}

/** Passes pages on to the server; a socket is accepted and never answered. */
async function startSilentDoor(t) {
  const door = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const passed = request(`${server.origin}${url}`, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(passed);
  });
  const sockets = new Set();
  door.on('upgrade', (_request, socket) => sockets.add(socket));
  door.listen(0, '127.0.0.1');
  await once(door, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    door.close();
  });
  return `http://127.0.0.1:${door.address().port}`;
}

/* The page said "Opening…" for as long as one cared to look at it. */
test('server that accepts the connection and says nothing is named within 25 seconds', async (t) => {
  const origin = await startSilentDoor(t);
  const { context, page } = await open('silent');
  await page.clock.install();
  const asked = page.waitForEvent('websocket');
  await page.goto(`${origin}/n/silent`);
  await asked;
  await says(page, /^Opening…$/);
  await page.clock.fastForward(25_000);
  await says(page, /^No answer from the server: kept on this device$/);
  await textOf(page).click();
  await page.keyboard.type('written all the same');
  await says(page, /^No answer from the server: kept on this device$/);
  await context.close();
});
