/** The title is a text like any other: two people write it at once, and it shows what is kept. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANN, BO, expectStatus, newPerson, openNote, startStage, textOf } from './support.mjs';

const { server, browser } = await startStage();

async function pair(id, title = '') {
  const people = [await newPerson(browser, ANN), await newPerson(browser, BO)];
  const pages = [];
  for (const { context } of people) {
    const page = await context.newPage();
    await openNote(page, server, id);
    pages.push(page);
  }
  if (title !== '') await titleOf(pages[0]).fill(title);
  for (const page of pages) await expectTitle(page, title);
  const close = async () => {
    for (const { faults } of people) assert.deepEqual(faults, []);
    for (const { context } of people) await context.close();
  };
  return { ann: pages[0], bo: pages[1], close };
}

function titleOf(page) {
  return page.getByLabel('Title');
}

async function expectTitle(page, title) {
  const isThere = (wanted) => document.querySelector('textarea.title')?.value === wanted;
  try {
    await page.waitForFunction(isThere, title);
  } catch {
    assert.equal(await titleOf(page).inputValue(), title);
  }
}

function setSelection(page, from, to = from) {
  return titleOf(page).evaluate(
    (field, [start, end]) => {
      field.focus();
      field.setSelectionRange(start, end);
    },
    [from, to],
  );
}

function selectionOf(page) {
  return titleOf(page).evaluate((field) => [field.selectionStart, field.selectionEnd]);
}

/** An input method's talk with the browser. */
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

/* "TPlan hfeo rb iAgnn": Bo's caret went to the end with each letter of Ann's. */
test('one types at the end and one at the start, at once, and both texts stand in order', async () => {
  const { ann, bo, close } = await pair('both-ends', 'Plan');
  await setSelection(ann, 4);
  await setSelection(bo, 0);
  await Promise.all([
    ann.keyboard.type(' for Ann and all the others', { delay: 4 }),
    bo.keyboard.type('The very big and green ', { delay: 4 }),
  ]);
  for (const page of [ann, bo]) {
    await expectTitle(page, 'The very big and green Plan for Ann and all the others');
  }
  assert.deepEqual(await selectionOf(bo), [23, 23]);
  await expectStatus(ann, 'saved');
  await close();
});

test('caret and selection stay at their letters while another changes the title around them', async () => {
  const { ann, bo, close } = await pair('selection', 'one two three');
  await setSelection(bo, 4, 7);
  await setSelection(ann, 0);
  await ann.keyboard.type('zero ');
  await expectTitle(bo, 'zero one two three');
  assert.deepEqual(await selectionOf(bo), [9, 12]);
  await setSelection(ann, 5, 9);
  await ann.keyboard.press('Delete');
  await expectTitle(bo, 'zero two three');
  assert.deepEqual(await selectionOf(bo), [5, 8]);
  await bo.keyboard.type('2');
  for (const page of [ann, bo]) await expectTitle(page, 'zero 2 three');
  await bo.keyboard.press('Control+z');
  await expectTitle(ann, 'zero two three');
  await bo.keyboard.press('Control+Shift+z');
  await expectTitle(ann, 'zero 2 three');
  await close();
});

/* 321 letters were shown, 300 kept, and the page said "Saved". */
test('title that has no more room says so and shows what is kept', async () => {
  const { ann, bo, close } = await pair('long');
  await titleOf(ann).fill('x'.repeat(300));
  await expectTitle(bo, 'x'.repeat(300));
  await ann.keyboard.press('End');
  await ann.keyboard.type('twenty-one letters more');
  await ann.getByText('There is no more room in the title').waitFor();
  await expectTitle(ann, 'x'.repeat(300));
  await expectStatus(ann, 'saved');
  await setSelection(ann, 10, 20);
  await ann.keyboard.type('y');
  await expectTitle(bo, `${'x'.repeat(10)}y${'x'.repeat(280)}`);
  await ann.getByText('There is no more room in the title').waitFor({ state: 'detached' });
  await setSelection(ann, 0);
  await ann.keyboard.insertText('z'.repeat(30));
  await ann.getByText('There is no more room in the title').waitFor();
  for (const page of [ann, bo]) {
    await expectTitle(page, `${'z'.repeat(9)}${'x'.repeat(10)}y${'x'.repeat(280)}`);
  }
  await close();
});

test('a title that two people have made too long is shown whole and can be shortened', async () => {
  const { ann, bo, close } = await pair('too-long', 'm'.repeat(290));
  await ann.context().setOffline(true);
  await setSelection(ann, 0);
  await ann.keyboard.type('a'.repeat(10));
  await setSelection(bo, 290);
  await bo.keyboard.type('b'.repeat(10));
  await ann.context().setOffline(false);
  const whole = 'a'.repeat(10) + 'm'.repeat(290) + 'b'.repeat(10);
  for (const page of [ann, bo]) await expectTitle(page, whole);
  await bo.keyboard.type('c');
  await bo.getByText('There is no more room in the title').waitFor();
  await bo.keyboard.press('Backspace');
  for (const page of [ann, bo]) await expectTitle(page, whole.slice(0, -1));
  await close();
});

/* What was composed stood there twice, and Ann's letters ended Bo's composition. */
test('composition in the title is whole and stands there once', async () => {
  const { ann, bo, close } = await pair('composed', 'の計画');
  await setSelection(bo, 0);
  await setSelection(ann, 0);
  const method = await inputMethod(bo);
  await method.compose('か');
  await expectTitle(ann, 'かの計画');
  await ann.keyboard.type('A');
  await expectTitle(ann, 'Aかの計画');
  await method.compose('かん');
  await expectTitle(ann, 'Aかんの計画');
  await ann.keyboard.type('nn ');
  await method.compose('漢字');
  assert.equal(await titleOf(bo).inputValue(), '漢字の計画');
  await expectTitle(ann, 'Ann 漢字の計画');
  await ann.keyboard.type('& Co ');
  await method.commit('漢字');
  for (const page of [ann, bo]) await expectTitle(page, 'Ann & Co 漢字の計画');
  assert.deepEqual(await selectionOf(bo), [11, 11]);
  await bo.keyboard.type('!');
  for (const page of [ann, bo]) await expectTitle(page, 'Ann & Co 漢字!の計画');
  await expectStatus(bo, 'saved');
  await close();
});

test('spaces that were chosen stay, line breaks become spaces, letters are never cut', async () => {
  const { ann, bo, close } = await pair('spaces');
  const spaced = '東京\u3000大阪 10\u00a0kg e\u0301 👨‍👩‍👧';
  await titleOf(ann).focus();
  await ann.keyboard.insertText(spaced);
  await expectTitle(bo, spaced);
  await bo.evaluate(() => {
    const field = document.querySelector('textarea.title');
    field.focus();
    field.setSelectionRange(0, 0);
    document.execCommand('insertText', false, 'one\ntwo\n\nthree ');
  });
  for (const page of [ann, bo]) await expectTitle(page, `one two three ${spaced}`);
  await ann.keyboard.press('Backspace');
  await expectTitle(bo, `one two three ${spaced.slice(0, -'👨‍👩‍👧'.length)}`);
  await ann.keyboard.press('Enter');
  assert.ok(await textOf(ann).evaluate((text) => text === document.activeElement));
  await close();
});
