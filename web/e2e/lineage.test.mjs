/** A note that was deleted, removed for good and made again, while a device had a copy of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANN, BO, expectLines, expectStatus, newPerson, startStage, textOf } from './support.mjs';

const { server, browser } = await startStage({ isLocked: true });

const ADMIN = server.token({ subject: 'ann', level: 'admin', documents: '*' });

async function openAs(person, id, token) {
  const { context, faults } = await newPerson(browser, person);
  const page = await context.newPage();
  await page.goto(`${server.origin}/n/${id}#token=${token}`);
  await textOf(page).waitFor();
  return { context, faults, page };
}

async function write(page, line) {
  await textOf(page).click();
  await page.keyboard.type(line);
}

/** Deletes a note, removes it for good, and writes another one under its name. */
async function startAnew(id) {
  await server.api('DELETE', `documents/${id}`, ADMIN);
  await server.api('POST', `documents/${id}/purge`, ADMIN);
  const { context, page } = await openAs(ANN, id, ADMIN);
  await write(page, 'new');
  await expectStatus(page, 'saved');
  await context.close();
}

test('text from before is kept aside, and the new note is opened in its place', async () => {
  const token = server.token({ level: 'write', documents: 'anew' });
  const { context, faults, page } = await openAs(BO, 'anew', token);
  await write(page, 'old');
  await expectStatus(page, 'saved');
  await context.setOffline(true);
  await page.keyboard.type(' and offline');
  await expectStatus(page, 'offline');
  await startAnew('anew');

  await context.setOffline(false);
  await page.getByText('This note was started anew. What you had of it before is kept').waitFor();
  await expectLines(page, ['new']);
  await expectStatus(page, 'saved');
  await write(page, '!');
  await expectLines(page, ['new!']);
  await expectStatus(page, 'saved');
  // Its device has the new note and nothing else.
  await page.reload();
  await expectLines(page, ['new!']);
  await expectStatus(page, 'saved');
  assert.deepEqual(faults, []);
  await context.close();
});

test('a reader who had the old note sees the new one', async () => {
  const writer = await openAs(ANN, 'read', ADMIN);
  await write(writer.page, 'old');
  await expectStatus(writer.page, 'saved');
  await writer.context.close();
  const { context, faults, page } = await openAs(
    BO,
    'read',
    server.token({ level: 'read', documents: 'read' }),
  );
  await expectLines(page, ['old']);
  await context.setOffline(true);
  await expectStatus(page, 'offline');
  await startAnew('read');

  await context.setOffline(false);
  await page.getByText('This note was started anew.').waitFor();
  await expectLines(page, ['new']);
  await expectStatus(page, 'readOnly');
  assert.deepEqual(faults, []);
  await context.close();
});
