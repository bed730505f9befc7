/** Content that the editor does not know is shown and never touched. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as Y from 'yjs';
import { cell, paragraph, plainClient as clientOf, table } from './plainClient.mjs';
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

const plainClient = (name) => clientOf(server, name);

function picture(alt) {
  const element = new Y.XmlElement('image');
  element.setAttribute('src', 'https://example.org/garden.png');
  element.setAttribute('alt', alt);
  return element;
}

function heading(text, level) {
  const element = new Y.XmlElement('heading');
  element.setAttribute('level', level);
  element.insert(0, [new Y.XmlText(text)]);
  return element;
}

function callout(text) {
  const element = new Y.XmlElement('callout');
  element.insert(0, [paragraph(text)]);
  return element;
}

/** A line with an object in it, which no editor of this page can show. */
function lineWithObject(text) {
  const element = new Y.XmlElement('paragraph');
  const run = new Y.XmlText(text);
  element.insert(0, [run]);
  run.insertEmbed(text.length, { picture: 'x.png' });
  return element;
}

/** The identities of all elements, in order: one that is made anew has another. */
function identities(parent) {
  return parent.toArray().flatMap((child) => {
    if (!(child instanceof Y.XmlElement)) return [];
    const { client, clock } = child._item.id;
    return [`${child.nodeName} ${client}.${clock}`, ...identities(child)];
  });
}

for (const [what, content, seen] of [
  ['an object in a line', () => lineWithObject('beside an object'), 'beside an object'],
  ['a text without a line', () => new Y.XmlText('loose'), 'loose'],
]) {
  test(`note with ${what} is shown read-only and left as it is`, async () => {
    const id = `foreign-${what.replaceAll(' ', '-')}`;
    const client = plainClient(id);
    client.document.transact(() => {
      client.text.insert(0, [paragraph('known')]);
      client.text.insert(1, [content()]);
    });
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

for (const [what, content, seen] of [
  ['element', () => callout('inside a callout'), 'inside a callout'],
  ['mark', () => paragraph('under a comment', { comment: { id: 7 } }), 'under a comment'],
  ['picture', () => picture('Our garden'), 'A picture that this page cannot edit yet'],
  ['wide cell', () => table([cell('in a wide cell', 1_000_000)]), 'in a wide cell'],
  ['heading level', () => heading('no such level', 1e21), 'no such level'],
]) {
  test(`note with an unknown ${what} shows it, keeps it, and is written on around it`, async () => {
    const id = `known-but-for-${what.replaceAll(' ', '-')}`;
    const client = plainClient(id);
    client.text.insert(0, [paragraph('before'), content(), paragraph('after')]);
    await client.stored();
    const [before, ids] = [client.text.get(1).toString(), identities(client.text)];
    const state = Y.encodeStateVector(client.document);

    const { context, faults } = await newPerson(browser, ANN);
    const page = await context.newPage();
    await openNote(page, server, id);
    await textOf(page).getByText(seen).first().waitFor();
    assert.deepEqual(Y.encodeStateVector(client.document), state);
    assert.deepEqual(await axeFindings(page), []);
    await textOf(page).locator('p', { hasText: 'after' }).last().click();
    await page.keyboard.press('End');
    await page.keyboard.type(' it');
    await textOf(page).locator('p', { hasText: 'before' }).click();
    await page.keyboard.press('End');
    await page.keyboard.type(' it');
    await expectStatus(page, 'saved');
    await page.close();

    const witness = plainClient(id);
    await witness.stored();
    assert.equal(witness.text.get(0).toString(), '<paragraph>before it</paragraph>');
    assert.equal(witness.text.get(1).toString(), before);
    assert.equal(witness.text.get(2).toString(), '<paragraph>after it</paragraph>');
    assert.deepEqual(identities(witness.text), ids);
    client.close();
    witness.close();
    assert.deepEqual(faults, []);
    await context.close();
  });
}

test('unknown content that arrives while somebody writes is shown, and goes by its own author', async () => {
  const { context, faults } = await newPerson(browser, ANN);
  const page = await context.newPage();
  await openNote(page, server, 'arriving');
  await textOf(page).click();
  await page.keyboard.type('mine');

  const client = plainClient('arriving');
  await client.stored();
  client.text.insert(client.text.length, [callout('theirs')]);
  await textOf(page).locator('.unknown', { hasText: 'theirs' }).waitFor();
  await page.keyboard.type(' again');
  client.text.get(1).get(0).get(0).insert(6, ' anew');
  await textOf(page).locator('.unknown', { hasText: 'theirs anew' }).waitFor();
  await expectStatus(page, 'saved');
  await client.stored();
  assert.equal(
    client.text.toString(),
    '<paragraph>mine again</paragraph><callout><paragraph>theirs anew</paragraph></callout>',
  );

  client.text.delete(1, 1);
  await expectLines(page, ['mine again']);
  client.close();
  assert.deepEqual(faults, []);
  await context.close();
});

test('object that arrives while somebody writes stops the editor, and its end starts it again', async () => {
  const { context, faults } = await newPerson(browser, ANN);
  const page = await context.newPage();
  await openNote(page, server, 'object-arriving');
  await textOf(page).click();
  await page.keyboard.type('mine');

  const client = plainClient('object-arriving');
  await client.stored();
  client.document.transact(() => {
    client.text.insert(client.text.length, [lineWithObject('theirs')]);
  });
  await page.getByText('This note can only be read here').waitFor();
  await page.locator('.text', { hasText: 'theirs' }).waitFor();
  await client.stored();
  assert.equal(client.text.length, 2);

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

test('change that the page fails to draw ends the editor, says so and loses nothing', async () => {
  const { context } = await newPerson(browser, ANN);
  const page = await context.newPage();
  await openNote(page, server, 'not-drawn');
  await textOf(page).click();
  await page.keyboard.type('mine');
  await expectStatus(page, 'saved');
  // A fault in the view, of a kind that nobody has thought of.
  await page.evaluate(() => {
    const make = document.createElement.bind(document);
    document.createElement = (tag, ...rest) => {
      if (tag === 'h3') throw new Error('cannot be drawn');
      return make(tag, ...rest);
    };
  });
  const client = plainClient('not-drawn');
  await client.stored();
  client.text.insert(1, [heading('theirs', 3)]);
  await page.getByText('This page could not show a change').waitFor();
  await page.locator('.text', { hasText: 'theirs' }).waitFor();
  assert.equal(await textOf(page).count(), 0);
  await page.keyboard.type('into nothing');
  client.text.insert(2, [paragraph('and more')]);
  await page.locator('.text', { hasText: 'and more' }).waitFor();
  await expectStatus(page, 'saved');
  assert.deepEqual(
    client.text.toArray().map((block) => block.get(0).toString()),
    ['mine', 'theirs', 'and more'],
  );

  await page.reload();
  await textOf(page).waitFor();
  await expectLines(page, ['mine', 'theirs', 'and more']);
  client.close();
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
