/** Caret, selection, composition and view stay at their text while somebody else changes the note. */
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

async function pair(id, markdown) {
  const people = [await newPerson(browser, ANN), await newPerson(browser, BO)];
  const pages = [];
  for (const { context } of people) {
    const page = await context.newPage();
    await openNote(page, server, id);
    pages.push(page);
  }
  const [ann, bo] = pages;
  await paste(ann, markdown);
  // What reads Markdown is loaded first.
  await ann.waitForFunction(() => document.querySelector('.text').textContent !== '');
  await expectStatus(ann, 'saved');
  const lines = await linesOf(ann);
  await expectLines(bo, lines);
  const close = async () => {
    for (const { faults } of people) assert.deepEqual(faults, []);
    for (const { context } of people) await context.close();
  };
  return { ann, bo, close };
}

async function paste(page, text) {
  await textOf(page).click();
  await page.evaluate((markdown) => {
    const data = new DataTransfer();
    data.setData('text/plain', markdown);
    const paste = new ClipboardEvent('paste', { clipboardData: data, bubbles: true });
    document.querySelector('.text[contenteditable]').dispatchEvent(paste);
  }, text);
}

function linesOf(page) {
  const lines = '.text[contenteditable] :is(p, h1, h2, h3, pre)';
  return page.locator(lines).allTextContents();
}

function paragraph(page, text) {
  return textOf(page).locator('p', { hasText: text });
}

async function caretAtStart(page) {
  await textOf(page).locator('p').first().click();
  await page.keyboard.press('Home');
}

async function caretAtEndOf(page, text) {
  await paragraph(page, text).click();
  await page.keyboard.press('End');
}

const PARAGRAPHS = Array.from({ length: 100 }, (_, at) => `paragraph ${at + 1}.`).join('\n\n');

function topOf(page, text) {
  return paragraph(page, text).evaluate((block) => block.getBoundingClientRect().top);
}

/** A window scrolls by whole pixels. */
async function expectTop(page, text, top) {
  const now = await topOf(page, text);
  assert.ok(Math.abs(now - top) <= 1, `${text} is at ${now}, not at ${top}`);
}

/* The view slid by a line with each Enter in the first paragraph. */
for (const [who, read] of [
  ['with the caret there', (page) => caretAtEndOf(page, 'paragraph 70.')],
  ['with the caret at the top', (page) => caretAtStart(page)],
  ['without a caret', (page) => page.evaluate(() => document.activeElement.blur())],
]) {
  test(`who reads the 70th paragraph ${who} goes on reading it`, async () => {
    const { ann, bo, close } = await pair(`reading-${who.length}`, PARAGRAPHS);
    await read(bo);
    await paragraph(bo, 'paragraph 70.').evaluate((block) =>
      block.scrollIntoView({ block: 'center' }),
    );
    await frameDrawn(bo);
    const top = await topOf(bo, 'paragraph 70.');
    await caretAtStart(ann);
    for (let times = 0; times < 12; times += 1) await ann.keyboard.press('Enter');
    await ann.keyboard.type('new');
    await bo.waitForFunction(() => document.querySelectorAll('.text p').length === 112);
    await frameDrawn(bo);
    await expectTop(bo, 'paragraph 70.', top);
    // The whole top goes, with what the reader's caret may have been in.
    await ann.keyboard.press('Control+Home');
    for (let line = 0; line < 20; line += 1) await ann.keyboard.press('Shift+ArrowDown');
    await ann.keyboard.press('Delete');
    await bo.waitForFunction(() => document.querySelectorAll('.text p').length < 100);
    await frameDrawn(bo);
    await expectTop(bo, 'paragraph 70.', top);
    await close();
  });
}

test('who scrolls while others write is not scrolled back', async () => {
  const { ann, bo, close } = await pair('scrolling', PARAGRAPHS);
  await paragraph(bo, 'paragraph 50.').evaluate((block) => block.scrollIntoView());
  await caretAtStart(ann);
  const before = await topOf(bo, 'paragraph 50.');
  await bo.mouse.move(600, 400);
  const scrolling = (async () => {
    for (let times = 0; times < 5; times += 1) await bo.mouse.wheel(0, 60);
  })();
  for (let times = 0; times < 10; times += 1) await ann.keyboard.press('Enter');
  await scrolling;
  await bo.waitForFunction(() => document.querySelectorAll('.text p').length === 110);
  await bo.waitForFunction((wanted) => {
    const block = [...document.querySelectorAll('.text p')].find(
      (line) => line.textContent === 'paragraph 50.',
    );
    return Math.abs(block.getBoundingClientRect().top - wanted) <= 1;
  }, before - 300);
  await close();
});

/* The selected cells became a caret in one of them, and Delete hit the wrong thing. */
test('cells selected by dragging are emptied by Delete, whatever others type meanwhile', async () => {
  const table = '| a | b |\n| - | - |\n| one | two |\n| three | four |';
  const { ann, bo, close } = await pair('cells', `top\n\n${table}\n\nend`);
  const cell = async (text) => {
    const box = await paragraph(bo, text).boundingBox();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  await bo.mouse.move(...(await cell('one')));
  await bo.mouse.down();
  await bo.mouse.move(...(await cell('three')), { steps: 6 });
  await bo.mouse.up();
  await bo.waitForFunction(() => document.querySelectorAll('.selectedCell').length === 2);
  await caretAtStart(ann);
  await ann.keyboard.type('at the ');
  await paragraph(bo, 'at the top').waitFor();
  await bo.waitForFunction(() => document.querySelectorAll('.selectedCell').length === 2);
  await bo.keyboard.press('Delete');
  for (const page of [ann, bo]) {
    await expectLines(page, ['at the top', 'a', 'b', '', 'two', '', 'four', 'end']);
  }
  await close();
});

/* The next letters came out in another paragraph, which began with the letter that was deleted. */
test('typing goes on in its line after an absence in which another deleted the end of it', async () => {
  const { ann, bo, close } = await pair('absence', 'Call Bob today\n\nend');
  await caretAtEndOf(bo, 'Call Bob');
  await bo.context().setOffline(true);
  await caretAtEndOf(ann, 'Call Bob');
  for (let times = 0; times < 'today'.length; times += 1) await ann.keyboard.press('Backspace');
  await ann.keyboard.press('Enter');
  await ann.keyboard.type('yes');
  await expectStatus(ann, 'saved');
  await bo.context().setOffline(false);
  await expectLines(bo, ['Call Bob ', 'yes', 'end']);
  await bo.keyboard.type('tomorrow');
  for (const page of [ann, bo]) await expectLines(page, ['Call Bob tomorrow', 'yes', 'end']);
  await close();
});

async function inputMethod(page) {
  const session = await page.context().newCDPSession(page);
  return {
    compose: (text) =>
      session.send('Input.imeSetComposition', {
        text,
        selectionStart: text.length,
        selectionEnd: text.length,
      }),
    commit: (text) => session.send('Input.insertText', { text }),
  };
}

/** Notes in the page how often a composition has begun and ended there. */
function countCompositions(page) {
  return page.evaluate(() => {
    globalThis.compositions = [];
    for (const kind of ['compositionstart', 'compositionend']) {
      document.addEventListener(kind, () => globalThis.compositions.push(kind), true);
    }
  });
}

for (const { where, move, key, lines } of [
  {
    where: 'in the line above',
    move: (page) => caretAtEndOf(page, 'above'),
    key: 'Enter',
    lines: ['abovexy', 'z', '計画漢字', 'below'],
  },
  {
    where: 'at the start of the same line',
    move: async (page) => {
      await paragraph(page, '計画').click();
      await page.keyboard.press('Home');
    },
    key: 'Backspace',
    lines: ['above', 'xz計画漢字', 'below'],
  },
]) {
  test(`composition in the text is not ended by what another types ${where}`, async () => {
    const { ann, bo, close } = await pair(`ime-${where.length}`, 'above\n\n計画\n\nbelow');
    await caretAtEndOf(bo, '計画');
    await move(ann);
    await countCompositions(bo);
    const method = await inputMethod(bo);
    await method.compose('か');
    await ann.keyboard.type('xy');
    await expectStatus(ann, 'saved');
    await method.compose('かん');
    await ann.keyboard.press(key);
    await ann.keyboard.type('z');
    await expectStatus(ann, 'saved');
    await method.compose('漢字');
    assert.deepEqual(await bo.evaluate(() => globalThis.compositions), ['compositionstart']);
    await method.commit('漢字');
    for (const page of [ann, bo]) await expectLines(page, lines);
    await bo.keyboard.type('!');
    for (const page of [ann, bo]) {
      await expectLines(
        page,
        lines.map((line) => line.replace('漢字', '漢字!')),
      );
    }
    await expectStatus(bo, 'saved');
    await close();
  });
}
