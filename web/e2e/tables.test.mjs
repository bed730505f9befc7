/** Tables that several people form at once: the size that their commands add up to, and then quiet. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cell, paragraph, plainClient, table } from './plainClient.mjs';
import { ANN, BO, expectStatus, newPerson, openNote, startStage, textOf } from './support.mjs';

const { server, browser } = await startStage();

/** Lets a test keep back what the server says to a page, and say it all later. */
async function holdable(page) {
  let waiting = null;
  await page.routeWebSocket(/\/collab$/, (socket) => {
    const upstream = socket.connectToServer();
    upstream.onMessage((frame) => {
      if (waiting === null) socket.send(frame);
      else waiting.push(() => socket.send(frame));
    });
  });
  return {
    hold: () => (waiting = []),
    release: () => {
      for (const send of waiting) send();
      waiting = null;
    },
  };
}

async function openAs(name, id) {
  const { context, faults } = await newPerson(browser, name);
  const page = await context.newPage();
  const network = await holdable(page);
  await openNote(page, server, id);
  return { page, context, faults, ...network };
}

/** Waits until the table is drawn with that many rows, each with that many cells. */
function expectSize(page, rows, columns) {
  return page.waitForFunction(
    ([wanted, each]) => {
      const found = [...document.querySelectorAll('.text tr')];
      return found.length === wanted && found.every((row) => row.children.length === each);
    },
    [rows, columns],
  );
}

async function command(page, text, label) {
  await textOf(page).getByText(text, { exact: true }).click();
  await page.getByRole('button', { name: label }).click();
}

/** A 2×2 table on the server, and how many updates others have made of it. */
async function tableOnServer(id) {
  const client = plainClient(server, id);
  client.text.insert(0, [
    paragraph('above'),
    table([cell('a'), cell('b')], [cell('c'), cell('d')]),
    paragraph('below'),
  ]);
  await client.stored();
  let received = 0;
  client.document.on('update', (_update, origin) => {
    if (origin !== null) received += 1;
  });
  return { client, received: () => received };
}

/** Others write elsewhere in the note, and the pages show it: all that they would answer is here then. */
async function tenNewsFrom(client, pages) {
  for (let count = 1; count <= 10; count += 1) {
    client.text.get(0).get(0).insert(0, `${count} `);
    for (const page of pages) await textOf(page).getByText(`${count} `).first().waitFor();
  }
  await client.stored();
}

test('column by one and row by another at once: three by three, then quiet', async () => {
  const { client, received } = await tableOnServer('table-at-once');
  const ann = await openAs(ANN, 'table-at-once');
  const bo = await openAs(BO, 'table-at-once');
  await expectSize(ann.page, 2, 2);
  await expectSize(bo.page, 2, 2);
  ann.hold();
  bo.hold();
  await command(ann.page, 'b', 'Add column after');
  await command(bo.page, 'd', 'Add row below');
  await expectSize(ann.page, 2, 3);
  await expectSize(bo.page, 3, 2);
  ann.release();
  bo.release();
  await expectSize(ann.page, 3, 3);
  await expectSize(bo.page, 3, 3);
  await expectStatus(ann.page, 'saved');
  await expectStatus(bo.page, 'saved');
  await tenNewsFrom(client, [ann.page, bo.page]);
  assert.equal(received(), 2);
  assert.deepEqual(
    client.text
      .get(1)
      .toArray()
      .map((row) => row.length),
    [3, 3, 2],
  );

  // The corner that nobody wrote is there for who clicks into it.
  await ann.page.locator('.text .padding').click();
  await ann.page.keyboard.type('corner');
  await textOf(bo.page).getByText('corner').waitFor();
  await expectSize(bo.page, 3, 3);
  assert.equal(await bo.page.locator('.text .padding').count(), 0);
  assert.deepEqual([...ann.faults, ...bo.faults], []);
  client.close();
  await ann.context.close();
  await bo.context.close();
});

test('columns on a ragged table by two at once add up', async () => {
  const { client, received } = await tableOnServer('table-ragged');
  client.text.get(1).get(1).delete(1, 1);
  await client.stored();
  const ann = await openAs(ANN, 'table-ragged');
  const bo = await openAs(BO, 'table-ragged');
  await expectSize(ann.page, 2, 2);
  await expectSize(bo.page, 2, 2);
  ann.hold();
  bo.hold();
  await command(ann.page, 'b', 'Add column after');
  await command(bo.page, 'a', 'Add column after');
  await expectSize(ann.page, 2, 3);
  await expectSize(bo.page, 2, 3);
  ann.release();
  bo.release();
  await expectSize(ann.page, 2, 4);
  await expectSize(bo.page, 2, 4);
  await tenNewsFrom(client, [ann.page, bo.page]);
  assert.equal(received(), 2);
  await expectSize(ann.page, 2, 4);
  assert.deepEqual([...ann.faults, ...bo.faults], []);
  client.close();
  await ann.context.close();
  await bo.context.close();
});
