/** Content that the editor does not know is shown and never touched. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import {
  ANN,
  axeFindings,
  expectLines,
  expectStatus,
  newPerson,
  openNote,
  startStage,
  textOf,
} from './support.mjs';

const { server, browser } = await startStage();

/** A plain Yjs client in this process; resolves when it has what the server has. */
function plainClient(name) {
  const document = new Y.Doc();
  const socket = new HocuspocusProviderWebsocket({
    url: `${server.origin.replace('http', 'ws')}/collab`,
    WebSocketPolyfill: WebSocket,
  });
  const provider = new HocuspocusProvider({ name, document, websocketProvider: socket });
  provider.attach();
  const stored = () =>
    new Promise((resolve) => {
      if (provider.isSynced && provider.unsyncedChanges === 0) resolve();
      else provider.on('unsyncedChanges', ({ number }) => number === 0 && resolve());
    });
  const close = () => {
    provider.destroy();
    socket.destroy();
  };
  return {
    document,
    text: document.getXmlFragment('default'),
    awareness: provider.awareness,
    stored,
    close,
  };
}

function paragraph(text, marks = {}) {
  const element = new Y.XmlElement('paragraph');
  const run = new Y.XmlText();
  run.insert(0, text, marks);
  element.insert(0, [run]);
  return element;
}

function callout(text) {
  const element = new Y.XmlElement('callout');
  element.insert(0, [paragraph(text)]);
  return element;
}

for (const [what, content, seen] of [
  ['element', () => callout('inside a callout'), 'inside a callout'],
  ['mark', () => paragraph('under a comment', { comment: { id: 7 } }), 'under a comment'],
]) {
  test(`note with an unknown ${what} is shown read-only and left as it is`, async () => {
    const id = `foreign-${what}`;
    const client = plainClient(id);
    client.text.insert(0, [paragraph('known'), content()]);
    client.document.getText('title').insert(0, 'Foreign plan');
    await client.stored();
    const before = Y.encodeStateAsUpdate(client.document);

    const { context, faults } = await newPerson(browser, ANN);
    const page = await context.newPage();
    await page.goto(`${server.origin}/n/${id}`);
    await page.getByText('This note can only be read here').waitFor();
    await page.locator('.text', { hasText: seen }).waitFor();
    await page.getByRole('heading', { name: 'Foreign plan' }).waitFor({ state: 'attached' });
    assert.equal(await textOf(page).count(), 0);
    assert.deepEqual(await axeFindings(page), []);
    await page.close();

    const witness = plainClient(id);
    await witness.stored();
    assert.deepEqual(Y.encodeStateAsUpdate(witness.document), before);
    client.close();
    witness.close();
    assert.deepEqual(faults, []);
    await context.close();
  });
}

test('unknown content that arrives while somebody writes stops the editor, and its end starts it again', async () => {
  const { context, faults } = await newPerson(browser, ANN);
  const page = await context.newPage();
  await openNote(page, server, 'arriving');
  await textOf(page).click();
  await page.keyboard.type('mine');

  const client = plainClient('arriving');
  await client.stored();
  client.text.insert(client.text.length, [callout('theirs')]);
  await page.getByText('This note can only be read here').waitFor();
  await page.locator('.text', { hasText: 'theirs' }).waitFor();
  await client.stored();
  assert.equal(
    client.text.toString(),
    '<paragraph>mine</paragraph><callout><paragraph>theirs</paragraph></callout>',
  );

  client.text.delete(1, 1);
  await textOf(page).waitFor();
  await expectLines(page, ['mine']);
  await textOf(page).click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type(' again');
  await expectLines(page, ['mine again']);
  client.close();
  assert.deepEqual(faults, []);
  await context.close();
});

test('opening a note writes nothing into it', async () => {
  const client = plainClient('untouched');
  const list = new Y.XmlElement('bulletList');
  const item = new Y.XmlElement('listItem');
  item.insert(0, [paragraph('stock Tiptap content')]);
  list.insert(0, [item]);
  client.text.insert(0, [list]);
  await client.stored();
  const before = Y.encodeStateVector(client.document);
  const { context } = await newPerson(browser, ANN);
  const page = await context.newPage();
  await openNote(page, server, 'untouched');
  await expectLines(page, ['stock Tiptap content']);
  await page.close();
  const witness = plainClient('untouched');
  await witness.stored();
  assert.deepEqual(Y.encodeStateVector(witness.document), before);
  client.close();
  witness.close();
  await context.close();
});

test('carets travel in the field that stock editors use, both ways', async () => {
  const { context } = await newPerson(browser, ANN);
  const page = await context.newPage();
  await openNote(page, server, 'stock-caret');
  await textOf(page).click();
  await page.keyboard.type('hello');
  await expectStatus(page, 'saved');
  const client = plainClient('stock-caret');
  await client.stored();

  const position = Y.createRelativePositionFromTypeIndex(client.text.get(0).get(0), 2);
  client.awareness.setLocalStateField('user', { name: 'Plain', color: '#ffcc00' });
  client.awareness.setLocalStateField('cursor', { anchor: position, head: position });
  await page.locator('.caret-name', { hasText: 'Plain' }).waitFor();

  const ann = await stateOf(client.awareness, 'Ann');
  const head = Y.createRelativePositionFromJSON(ann.cursor.head);
  assert.equal(Y.createAbsolutePositionFromRelativePosition(head, client.document).index, 5);
  client.close();
  await context.close();
});

/** The awareness state of the person of that name, once they have a caret. */
function stateOf(awareness, name) {
  const find = () =>
    [...awareness.getStates().values()].find((state) => state.user?.name === name && state.cursor);
  return new Promise((resolve) => {
    const look = () => {
      const found = find();
      if (found === undefined) return;
      awareness.off('change', look);
      resolve(found);
    };
    awareness.on('change', look);
    look();
  });
}
