/** Two people, each in a browser of their own, in one note. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ANN,
  BO,
  expectLines,
  expectStatus,
  frameDrawn,
  newPerson,
  openNote,
  startStage,
  textOf,
} from './support.mjs';

const { server, browser } = await startStage();

async function pair(id) {
  const [ann, bo] = [await newPerson(browser, ANN), await newPerson(browser, BO)];
  const pages = [await ann.context.newPage(), await bo.context.newPage()];
  for (const page of pages) await openNote(page, server, id);
  return { ann, bo, annPage: pages[0], boPage: pages[1] };
}

test('two people type into one note and see text, title, carets and faces of each other', async () => {
  const { ann, bo, annPage, boPage } = await pair('together');

  await annPage.getByLabel('Title').fill('Garden plan');
  await annPage.keyboard.press('Enter');
  await annPage.keyboard.type('We meet on Saturday.');
  await expectLines(boPage, ['We meet on Saturday.']);
  assert.equal(await boPage.getByLabel('Title').inputValue(), 'Garden plan');

  await textOf(boPage).click();
  await boPage.keyboard.press('Control+End');
  await boPage.keyboard.press('Enter');
  await boPage.keyboard.type('Bring gloves.');
  await expectLines(annPage, ['We meet on Saturday.', 'Bring gloves.']);

  await annPage.locator('.caret-name', { hasText: 'Bo' }).waitFor();
  await boPage.locator('.caret-name', { hasText: 'Ann' }).waitFor();
  await annPage.getByRole('button', { name: 'Go to where Bo is writing' }).waitFor();
  assert.ok(
    !(await textOf(annPage).innerText()).includes('Bo'),
    'names of carets are no part of the text',
  );

  await expectStatus(annPage, 'saved');
  await expectStatus(boPage, 'saved');
  await boPage.close();
  await annPage
    .getByRole('button', { name: 'Go to where Bo is writing' })
    .waitFor({ state: 'detached' });
  await annPage.locator('.caret').waitFor({ state: 'detached' });

  assert.deepEqual([...ann.faults, ...bo.faults], []);
  for (const person of [ann, bo]) await person.context.close();
});

test('both type at the same time and nothing is lost', async () => {
  const { ann, bo, annPage, boPage } = await pair('same-time');
  await annPage.getByLabel('Title').press('Enter');
  await annPage.keyboard.type('first');
  await annPage.keyboard.press('Enter');
  await annPage.keyboard.type('second');
  await expectLines(boPage, ['first', 'second']);
  await textOf(boPage).locator('p').first().click();
  await boPage.keyboard.press('End');
  await Promise.all([
    annPage.keyboard.type(' by Ann', { delay: 5 }),
    boPage.keyboard.type(' by Bo', { delay: 5 }),
  ]);
  for (const page of [annPage, boPage]) await expectLines(page, ['first by Bo', 'second by Ann']);
  for (const person of [ann, bo]) await person.context.close();
});

/** The browser tells nothing of the caret any more, as on a machine that is too busy to draw. */
function tellNothingOfCaret(page) {
  return page.evaluate(() => {
    const keepBack = (event) => {
      if (event.isTrusted) event.stopImmediatePropagation();
    };
    window.addEventListener('selectionchange', keepBack, { capture: true });
  });
}

test('keys that come before the browser tells where the caret is go to where it is', async () => {
  const { ann, bo, annPage, boPage } = await pair('busy-keys');
  await annPage.getByLabel('Title').press('Enter');
  await annPage.keyboard.type('We meet on Saturday.');
  await expectLines(boPage, ['We meet on Saturday.']);
  await tellNothingOfCaret(boPage);
  await textOf(boPage).click();
  await boPage.keyboard.press('Control+End');
  await boPage.keyboard.press('Enter');
  await boPage.keyboard.type('Bring gloves.');
  for (const page of [annPage, boPage])
    await expectLines(page, ['We meet on Saturday.', 'Bring gloves.']);

  await boPage.keyboard.press('Shift+Home');
  await boPage.keyboard.press('Control+b');
  await annPage.locator('strong', { hasText: /^Bring gloves\.$/ }).waitFor();
  for (const person of [ann, bo]) await person.context.close();
});

test('what others write leaves the caret where a key took it just now', async () => {
  const { ann, bo, annPage, boPage } = await pair('busy-others');
  await annPage.getByLabel('Title').press('Enter');
  await annPage.keyboard.type('first');
  await annPage.keyboard.press('Enter');
  await annPage.keyboard.type('second');
  await expectLines(boPage, ['first', 'second']);
  await textOf(boPage).locator('p').first().click();
  await boPage.keyboard.press('End');
  await frameDrawn(boPage);
  await tellNothingOfCaret(boPage);
  await boPage.keyboard.press('Home');
  await annPage.keyboard.type(' by Ann');
  await expectLines(boPage, ['first', 'second by Ann']);
  await boPage.keyboard.type('Bo: ');
  for (const page of [annPage, boPage]) await expectLines(page, ['Bo: first', 'second by Ann']);
  for (const person of [ann, bo]) await person.context.close();
});

test('undo takes back only what was typed here', async () => {
  const { ann, bo, annPage, boPage } = await pair('undo');
  await annPage.getByLabel('Title').press('Enter');
  await annPage.keyboard.type('from Ann');
  await expectLines(boPage, ['from Ann']);
  await textOf(boPage).click();
  await boPage.keyboard.press('Control+End');
  await boPage.keyboard.type(', from Bo');
  await expectLines(annPage, ['from Ann, from Bo']);
  await boPage.keyboard.press('Control+z');
  await expectLines(annPage, ['from Ann']);
  await boPage.keyboard.press('Control+Shift+z');
  await expectLines(annPage, ['from Ann, from Bo']);
  for (const person of [ann, bo]) await person.context.close();
});

test('caret stays beside its text when somebody splits the paragraph', async () => {
  const { ann, bo, annPage, boPage } = await pair('split');
  await annPage.getByLabel('Title').press('Enter');
  await annPage.keyboard.type('Hello brave new world');
  await expectLines(boPage, ['Hello brave new world']);
  await textOf(boPage).click();
  await boPage.keyboard.press('Home');
  for (let step = 0; step < 'Hello brave '.length; step += 1)
    await boPage.keyboard.press('ArrowRight');
  await boPage.keyboard.press('Enter');
  await expectLines(annPage, ['Hello brave ', 'new world']);
  await annPage.keyboard.type(' order');
  await expectLines(boPage, ['Hello brave ', 'new world order']);
  for (const person of [ann, bo]) await person.context.close();
});

test('name and colour can be changed and others see it', async () => {
  const { ann, bo, annPage, boPage } = await pair('name');
  await annPage.getByRole('button', { name: /^You are Ann/ }).click();
  await annPage.getByLabel('Name', { exact: true }).fill('Ann of the garden');
  await annPage.getByRole('button', { name: 'Done' }).click();
  await boPage.getByRole('button', { name: 'Go to where Ann of the garden is writing' }).waitFor();
  for (const person of [ann, bo]) await person.context.close();
});

test('person who never gave a name gets a friendly one', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(server.origin);
  await page
    .getByRole('button', { name: /^You are [A-Z][a-z]+ [A-Z][a-z]+\. Change name/ })
    .waitFor();
  await context.close();
});
