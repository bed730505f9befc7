/**
 * Ann writes in a line while the connection is gone, and Bo changes the line's form meanwhile. When
 * she comes back, her sentence is in the note, once, in that line.
 *
 * A line that becomes a heading is another element for Yjs, so what Ann wrote is carried over by the
 * server.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ANN,
  BO,
  expectLines,
  expectStatus,
  newPerson,
  openNote,
  startStage,
  textOf,
} from './support.mjs';

const { server, browser } = await startStage();

const FIRST = 'First line';
const SECOND = 'Start of the sentence';
const HERS = ', three hundred words by Ann';

async function pair(id) {
  const people = [await newPerson(browser, ANN), await newPerson(browser, BO)];
  const pages = [];
  for (const { context } of people) {
    const page = await context.newPage();
    await openNote(page, server, id);
    await expectStatus(page, 'saved');
    pages.push(page);
  }
  const [ann, bo] = people.map(({ context }, index) => ({ context, page: pages[index] }));
  return { ann, bo };
}

async function write(page, lines) {
  await page.getByLabel('Title').press('Enter');
  for (const [index, line] of lines.entries()) {
    if (index > 0) await page.keyboard.press('Enter');
    await page.keyboard.type(line);
  }
}

/** Puts the caret into a line, `offset` letters from its start. */
async function caretIn(page, line, offset) {
  await textOf(page).locator('p', { hasText: line }).first().click();
  await page.keyboard.press('Home');
  for (let step = 0; step < offset; step += 1) await page.keyboard.press('ArrowRight');
}

/** Chooses a block from the slash menu, at the start of the line. */
const choose = (name) => async (page) => {
  await caretIn(page, SECOND, 0);
  await page.keyboard.type('/');
  await page.getByRole('option', { name, exact: true }).click();
};

const press = (key, offset) => async (page) => {
  await caretIn(page, SECOND, offset);
  await page.keyboard.press(key);
};

const TEXT = { lines: [FIRST, SECOND] };

/** `before`: the letters that her sentence comes after, as far as they are in one line with it. */
const CASES = [
  { name: 'makes the line a heading', run: choose('Heading 1') },
  { name: 'makes the line a point', run: choose('Bullet list') },
  { name: 'makes the line a quote', run: choose('Quote') },
  { name: 'presses Backspace at its start', run: press('Backspace', 0) },
  { name: 'moves the line up', run: press('Alt+ArrowUp', 3) },
  // Behind the first word, so that the longer part goes on being the line.
  { name: 'presses Enter in its middle', run: press('Enter', 'Start '.length) },
  { name: 'presses Enter near its end', run: press('Enter', SECOND.length - 3), before: 'nce' },
  { name: 'presses Tab in a list', run: press('Tab', 3), isList: true },
];

const BLOCKS = '.text[contenteditable] :is(p, h1, h2, h3, pre)';

/** Waits until her sentence is in the note once, at the end of its line, behind these letters. */
async function expectSentence(page, before) {
  const isThere = ([blocks, hers, end]) => {
    const lines = [...document.querySelectorAll(blocks)].map((block) => block.textContent);
    return lines.join('\n').split(hers).length === 2 && lines.some((line) => line.endsWith(end));
  };
  const end = `${before}${HERS}`;
  try {
    await page.waitForFunction(isThere, [BLOCKS, HERS, end]);
  } catch {
    assert.fail(`one line ends with “${end}”: ${await page.locator(BLOCKS).allTextContents()}`);
  }
}

for (const [index, { name, run, isList = false, before = 'sentence' }] of CASES.entries()) {
  test(`Ann's sentence survives when Bo ${name}`, async () => {
    const { ann, bo } = await pair(`crossed-${index}`);
    await write(ann.page, isList ? [`- ${FIRST}`, SECOND] : TEXT.lines);
    await expectLines(bo.page, TEXT.lines);
    await expectStatus(ann.page, 'saved');

    await ann.context.setOffline(true);
    await expectStatus(ann.page, 'offline');
    await ann.page.keyboard.type(HERS);
    await run(bo.page);
    await expectStatus(bo.page, 'saved');
    await ann.context.setOffline(false);
    await expectStatus(ann.page, 'saved');

    for (const { page } of [ann, bo]) await expectSentence(page, before);
    await expectLines(bo.page, await ann.page.locator(BLOCKS).allTextContents());
    for (const { context } of [ann, bo]) await context.close();
  });
}

test('two who make the same line a heading at once have one line', async () => {
  const { ann, bo } = await pair('one-heading');
  await write(ann.page, TEXT.lines);
  await expectLines(bo.page, TEXT.lines);
  for (const { context, page } of [ann, bo]) {
    await context.setOffline(true);
    await expectStatus(page, 'offline');
    await choose('Heading 1')(page);
  }
  for (const { context, page } of [ann, bo]) {
    await context.setOffline(false);
    await expectStatus(page, 'saved');
  }
  for (const { page } of [ann, bo]) await expectLines(page, TEXT.lines);
  for (const { context } of [ann, bo]) await context.close();
});
