/** Notes that need a token: opening them, and what happens when rights change while they are open. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ANN,
  axeFindings,
  BO,
  expectLines,
  expectStatus,
  listenIn,
  newPerson,
  parts,
  startStage,
  textOf,
  TYPE_AUTH,
} from './support.mjs';

const { server, browser } = await startStage({ isLocked: true });

const ADMIN = server.token({ subject: 'ann', level: 'admin', documents: '*' });
/** What an auth frame begins with: a token (from the server: the wish for one), and "accepted". */
const TOKEN = 0;
const AUTHENTICATED = 2;

/** A page that was denied lets go of its socket at once. */
const LET_GO_TIMEOUT_MS = 5000;

/** A login's token for one note. */
function tokenFor(id, level, flags = {}) {
  return server.token({ level, documents: id, ...flags });
}

/** A share link of a note, as the server makes it. */
function makeLink(id, level) {
  return server.api('POST', `documents/${encodeURIComponent(id)}/links`, ADMIN, { level });
}

function setLevel(link, level) {
  return server.api('PATCH', `links/${link.id}`, ADMIN, { level });
}

function withToken(id, token) {
  return `${server.origin}/n/${id}#token=${token}`;
}

/** Opens a note by a token, in a profile of its own, and waits until it is in sync. */
async function openWith(id, token, { person = BO, kind = 'saved', ...options } = {}) {
  const { context, faults } = await newPerson(browser, person, options);
  const page = await context.newPage();
  await page.goto(withToken(id, token));
  await expectStatus(page, kind);
  return { context, faults, page };
}

/** Writes a line into a note as somebody who may. */
async function writeNote(id, line) {
  const { context, page } = await openWith(id, ADMIN, { person: ANN });
  await textOf(page).click();
  await page.keyboard.type(line);
  await expectLines(page, [line]);
  await expectStatus(page, 'saved');
  await context.close();
}

async function expectNotice(page, ...sentences) {
  for (const sentence of sentences) await page.getByText(sentence).waitFor();
}

async function isEditable(page) {
  return (await textOf(page).getAttribute('contenteditable')) === 'true';
}

test('login opens its note, and its token is nowhere to be seen', async () => {
  const token = tokenFor('by-login', 'write');
  const { context, faults } = await newPerson(browser, ANN);
  const seen = [];
  // The fragment of the first address is the browser's own; it sends it to nobody.
  context.on('request', (request) => seen.push(request.url().split('#')[0]));
  context.on('console', (message) => seen.push(message.text()));
  const page = await context.newPage();
  page.on('websocket', (socket) => seen.push(socket.url()));
  await page.goto(withToken('by-login', token));
  await textOf(page).click();
  await page.keyboard.type('mine');
  await expectStatus(page, 'saved');
  assert.equal(page.url(), `${server.origin}/n/by-login`);

  await page.reload();
  await expectLines(page, ['mine']);
  await expectStatus(page, 'saved');
  await page.getByRole('link', { name: 'Your notes' }).click();
  await page.getByRole('button', { name: 'New note' }).waitFor();
  await page.goBack();
  await expectStatus(page, 'saved');
  assert.equal(page.url(), `${server.origin}/n/by-login`);

  seen.push(await page.title(), await page.content());
  seen.push(await page.evaluate(() => JSON.stringify({ ...localStorage })));
  assert.deepEqual(
    seen.filter((text) => text.includes(token)),
    [],
  );
  assert.deepEqual(faults, []);
  await context.close();
});

test('share link opens its note, and later the list of notes opens it in any tab', async () => {
  const { secret, url } = await makeLink('team/by link', 'write');
  const { context, faults } = await newPerson(browser, BO);
  const page = await context.newPage();
  await page.goto(url);
  await expectStatus(page, 'saved');
  assert.ok(!page.url().includes(secret));
  await page.getByLabel('Title').fill('Shared plan');
  await expectStatus(page, 'saved');
  await page.close();

  const other = await context.newPage();
  await other.goto(server.origin);
  await other.getByRole('link', { name: /Shared plan/ }).click();
  await expectStatus(other, 'saved');
  await other.goto(server.origin);
  await other.getByRole('button', { name: /^Remove “Shared plan”/ }).click();
  await other.getByRole('button', { name: 'Remove', exact: true }).click();
  await other.getByText('No notes yet').waitFor();
  const storage = await other.evaluate(() => JSON.stringify([localStorage, sessionStorage]));
  assert.ok(!storage.includes(secret), 'what is removed is forgotten');
  assert.deepEqual(faults, []);
  await context.close();
});

for (const colorScheme of ['light', 'dark']) {
  test(`link for reading shows the note and takes nothing (${colorScheme})`, async () => {
    const id = `to-read-${colorScheme}`;
    await writeNote(id, 'read me');
    const { secret } = await makeLink(id, 'read');
    const { context, page, faults } = await openWith(id, secret, { kind: 'readOnly', colorScheme });
    await expectLines(page, ['read me']);
    assert.equal(await isEditable(page), false);
    assert.equal(await page.getByLabel('Title').getAttribute('readonly'), '');
    await page.locator('[data-save]', { hasText: /^Read only$/ }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Copy my text' }).count(), 0);
    assert.deepEqual(await axeFindings(page), []);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test(`without a token there is nothing but the reason (${colorScheme})`, async () => {
    await writeNote(`locked-${colorScheme}`, 'secret words');
    const { context, faults } = await newPerson(browser, BO, { colorScheme });
    const page = await context.newPage();
    // Long before the server loses its patience with a socket that nobody has logged in on.
    const letGo = page
      .waitForEvent('websocket')
      .then((socket) => socket.waitForEvent('close', { timeout: LET_GO_TIMEOUT_MS }));
    await page.goto(`${server.origin}/n/locked-${colorScheme}`);
    await letGo;
    await page.getByRole('heading', { name: 'This note needs a link', level: 1 }).waitFor();
    assert.equal(await textOf(page).count(), 0);
    await page.locator('[data-save]', { hasText: /^No access$/ }).waitFor();
    assert.deepEqual(await axeFindings(page), []);
    await page.goto(server.origin);
    await page.getByText('No notes yet').waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });
}

test('link that is revoked while the note is open leaves the text and stops the writing', async () => {
  await writeNote('revoked', 'still here');
  const link = await makeLink('revoked', 'write');
  const { context, page, faults } = await openWith('revoked', link.secret);
  await textOf(page).click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type(' and mine');
  await expectLines(page, ['still here and mine']);
  await expectStatus(page, 'saved');

  await server.api('DELETE', `links/${link.id}`, ADMIN);
  await expectNotice(
    page,
    'Your access was taken back',
    'Everything you wrote here has been saved',
  );
  await expectStatus(page, 'denied');
  assert.equal(await isEditable(page), false);
  await expectLines(page, ['still here and mine']);
  assert.deepEqual(await axeFindings(page), []);

  const { secret } = await makeLink('revoked', 'write');
  // As when somebody opens a new link in the same tab: the page is not loaded again.
  await page.evaluate((token) => location.assign(`#token=${token}`), secret);
  await expectStatus(page, 'saved');
  await page.getByText('Your access was taken back').waitFor({ state: 'detached' });
  assert.equal(page.url(), `${server.origin}/n/revoked`);
  await textOf(page).click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type(' again');
  await expectLines(page, ['still here and mine again']);
  await expectStatus(page, 'saved');
  assert.deepEqual(faults, []);
  await context.close();
});

test('text that had not been sent when the access ended is said to be, and can be taken along', async () => {
  const link = await makeLink('unsent', 'write');
  const { context, page } = await openWith('unsent', link.secret, {
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  await page.getByLabel('Title').fill('In the tunnel');
  await expectStatus(page, 'saved');
  await context.setOffline(true);
  await page.keyboard.press('Enter');
  await page.keyboard.type('written without a network');
  await expectStatus(page, 'offline');
  await server.api('DELETE', `links/${link.id}`, ADMIN);
  await context.setOffline(false);
  await expectNotice(page, 'You cannot open this note', 'It is kept on this device');
  await expectLines(page, ['written without a network']);

  await page.getByRole('button', { name: 'Copy my text' }).click();
  await page.getByText('Your text is on the clipboard').waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, '# In the tunnel\n\nwritten without a network\n');
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download my text' }).click();
  assert.equal((await download).suggestedFilename(), 'In the tunnel.md');

  await page.goto(server.origin);
  await page.getByText('Has text that only this device has').waitFor();
  await page.getByRole('link', { name: /In the tunnel/ }).click();
  await expectNotice(page, 'You cannot open this note', 'It is kept on this device');
  const { secret } = await makeLink('unsent', 'write');
  await page.goto(withToken('unsent', secret));
  await expectStatus(page, 'saved');
  const reader = await openWith('unsent', ADMIN, { person: ANN });
  await expectLines(reader.page, ['written without a network']);
  await reader.context.close();
  await context.close();
});

test('badge comes and goes as the link changes between reading and writing', async () => {
  await writeNote('moving', 'start');
  const link = await makeLink('moving', 'write');
  const { context, page, faults } = await openWith('moving', link.secret);
  const witness = await openWith('moving', ADMIN, { person: ANN });
  await setLevel(link, 'read');
  await page.locator('[data-save]', { hasText: /^Read only$/ }).waitFor();
  assert.equal(await isEditable(page), false);
  await setLevel(link, 'write');
  await expectStatus(page, 'saved');
  assert.equal(await isEditable(page), true);
  await textOf(page).click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type(' and end');
  await expectLines(witness.page, ['start and end']);
  await expectStatus(page, 'saved');
  assert.deepEqual([...faults, ...witness.faults], []);
  await context.close();
  await witness.context.close();
});

test('what was typed before the page knew that it may only read is not called saved, nor lost', async () => {
  await writeNote('between', 'start');
  const link = await makeLink('between', 'write');
  const { context, faults } = await newPerson(browser, BO);
  const page = await context.newPage();
  let hold = false;
  const held = [];
  await listenIn(page, (frame, pass) => {
    const { type, body } = parts(frame);
    if (hold && type === TYPE_AUTH && body[0] === AUTHENTICATED) held.push(() => pass(frame));
    else pass(frame);
  });
  await page.goto(withToken('between', link.secret));
  await expectStatus(page, 'saved');
  hold = true;
  await setLevel(link, 'read');
  await textOf(page).click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type(' in between');
  await expectStatus(page, 'notSaved');
  hold = false;
  for (const pass of held) pass();
  await page.locator('[data-save]', { hasText: 'Read only: not all your text is saved' }).waitFor();
  await expectNotice(page, 'You can only read this note now', 'It is kept on this device');
  await expectLines(page, ['start in between']);
  assert.deepEqual(await axeFindings(page), []);

  const witness = await openWith('between', ADMIN, { person: ANN });
  await expectLines(witness.page, ['start']);
  await setLevel(link, 'write');
  await expectLines(witness.page, ['start in between']);
  await expectStatus(page, 'saved');
  await page.getByText('You can only read this note now').waitFor({ state: 'detached' });
  assert.deepEqual([...faults, ...witness.faults], []);
  await context.close();
  await witness.context.close();
});

test('login that ends while the note is open says so, and so does one that had ended before', async () => {
  const token = tokenFor('ending', 'write', { expires: '8s' });
  const { context, page, faults } = await openWith('ending', token);
  await textOf(page).click();
  await page.keyboard.type('in time');
  await expectStatus(page, 'saved');
  await expectNotice(page, 'Your access has ended', 'Everything you wrote here has been saved');
  await expectLines(page, ['in time']);
  await page.close();

  const { context: other, faults: otherFaults } = await newPerson(browser, ANN);
  const late = await other.newPage();
  await late.goto(withToken('ending', token));
  await late.getByRole('heading', { name: 'Your access has ended', level: 1 }).waitFor();
  assert.equal(await textOf(late).count(), 0);
  assert.deepEqual(await axeFindings(late), []);
  assert.deepEqual([...faults, ...otherFaults], []);
  await context.close();
  await other.close();
});

test('deleted note says so, and opens again when it has been brought back', async () => {
  await writeNote('deleted', 'gone and back');
  const { context, page, faults } = await openWith('deleted', tokenFor('deleted', 'write'));
  await server.api('DELETE', 'documents/deleted', ADMIN);
  await expectNotice(page, 'This note was deleted');
  assert.equal(await isEditable(page), false);
  await expectLines(page, ['gone and back']);
  assert.deepEqual(await axeFindings(page), []);
  await server.api('POST', 'documents/deleted/undelete', ADMIN);
  await page.getByRole('button', { name: 'Try again' }).click();
  await expectStatus(page, 'saved');
  assert.equal(await isEditable(page), true);
  assert.deepEqual(faults, []);
  await context.close();
});

/* The notice stood at the top of the note, 1,900 pixels above what was read. */
for (const [width, height] of [
  [1280, 800],
  [390, 844],
]) {
  test(`notice stands where one reads, far down in a note (${width} × ${height})`, async () => {
    const id = `far-down-${width}`;
    const viewport = { width, height };
    const { context, page } = await openWith(id, tokenFor(id, 'write'), { viewport });
    await textOf(page).click();
    for (let line = 0; line < 60; line += 1) await page.keyboard.press('Enter');
    await page.keyboard.type('here');
    await expectStatus(page, 'saved');
    await server.api('DELETE', `documents/${id}`, ADMIN);
    await expectNotice(page, 'This note was deleted');
    assert.ok((await page.evaluate(() => scrollY)) > 300);
    const { top, bottom } = await page
      .locator('.notice')
      .evaluate((notice) => notice.getBoundingClientRect().toJSON());
    assert.ok(top >= 48 && bottom <= height, `the notice is at ${top} to ${bottom}`);
    await page.getByRole('button', { name: 'Try again' }).click({ trial: true });
    assert.deepEqual(await axeFindings(page), []);
    await context.close();
  });
}

test('rights that come back open the note again by themselves', async () => {
  const token = tokenFor('back', 'write', { subject: 'cy' });
  const { context, page } = await openWith('back', token);
  const { id } = await server.api('POST', 'revocations', ADMIN, { subject: 'cy' });
  await expectNotice(page, 'Your access was taken back');
  await server.api('DELETE', `revocations/${id}`, ADMIN);
  await expectStatus(page, 'saved');
  await page.getByText('Your access was taken back').waitFor({ state: 'detached' });
  assert.equal(await isEditable(page), true);
  await context.close();
});

test('server that wants the token while the note is open gets it', async () => {
  const token = tokenFor('asked', 'write');
  const { context } = await newPerson(browser, BO);
  const page = await context.newPage();
  let heard = () => undefined;
  let ask = () => undefined;
  /** The next token that the page shows, once `act` has been done. */
  const shownBy = async (act) => {
    const shown = new Promise((resolve) => (heard = resolve));
    await act();
    return shown;
  };
  await page.routeWebSocket(/\/collab$/, (socket) => {
    const upstream = socket.connectToServer();
    socket.onMessage((frame) => {
      const { type, body, address } = parts(frame);
      ask = () => socket.send(Buffer.concat([address, Buffer.from([TYPE_AUTH, TOKEN])]));
      if (type === TYPE_AUTH && body[0] === TOKEN) heard(body.includes(token) ? 'ours' : 'other');
      upstream.send(frame);
    });
  });
  assert.equal(await shownBy(() => page.goto(withToken('asked', token))), 'ours');
  await expectStatus(page, 'saved');
  assert.equal(await shownBy(() => ask()), 'ours');
  await expectStatus(page, 'saved');
  await context.close();
});

test('link that opens nothing can be put away', async () => {
  const link = await makeLink('stale', 'write');
  await server.api('DELETE', `links/${link.id}`, ADMIN);
  const { context, faults } = await newPerson(browser, BO);
  const page = await context.newPage();
  await page.goto(withToken('stale', link.secret));
  await page.getByRole('heading', { name: 'You cannot open this note' }).waitFor();
  await page.getByRole('button', { name: 'Open without the link' }).click();
  await page.getByRole('heading', { name: 'This note needs a link' }).waitFor();
  assert.equal(await page.evaluate(() => JSON.stringify(localStorage).includes('share-')), false);
  assert.deepEqual(faults, []);
  await context.close();
});
