import { describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import { TEXT_NAME } from '../net/gate';
import { createGuard } from './guard';

const guard = createGuard();

function newText(): Y.XmlFragment {
  return new Y.Doc().getXmlFragment(TEXT_NAME);
}

function element(
  name: string,
  attributes: Record<string, unknown> = {},
  ...children: (Y.XmlElement | Y.XmlText)[]
) {
  const made = new Y.XmlElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value as string);
  made.insert(0, children);
  return made;
}

function words(text: string, marks: Record<string, unknown> = {}): Y.XmlText {
  const made = new Y.XmlText();
  made.insert(0, text, marks);
  return made;
}

const paragraph = (text: string, marks = {}) => element('paragraph', {}, words(text, marks));

describe('all of the text', () => {
  test('stock Tiptap content is known', () => {
    const text = newText();
    text.insert(0, [
      element('heading', { level: 2 }, words('Plan')),
      paragraph('bold', { bold: {}, italic: {} }),
      paragraph('link', {
        link: { href: 'https://example.org', target: '_blank', rel: 'nofollow', class: null },
      }),
      element('taskList', {}, element('taskItem', { checked: true }, paragraph('done'))),
      element(
        'table',
        {},
        element('tableRow', {}, element('tableCell', { colspan: 1, rowspan: 1 }, paragraph('x'))),
      ),
      element('codeBlock', { language: 'rust' }, words('fn main() {}')),
      element('horizontalRule'),
    ]);
    expect(guard.all(text)).toEqual([]);
  });

  test.each<[string, Y.XmlElement | Y.XmlText, string[]]>([
    ['unknown element', element('callout', {}, paragraph('kept')), []],
    ['unknown element inside a known one', element('blockquote', {}, element('callout')), []],
    ['unknown mark', paragraph('commented', { comment: { id: 1 } }), []],
    ['unknown attribute with a value', element('paragraph', { textAlign: 'right' }), []],
    ['unknown attribute of a mark', paragraph('a', { link: { href: '/', ping: '/x' } }), []],
    ['odd value', element('heading', { level: 1e21 }, words('x')), []],
    ['arrangement that the schema has not', element('bulletList', {}, paragraph('kept')), []],
    ['mark where it may not be', element('codeBlock', {}, words('x', { bold: {} })), []],
    ['element that may not stand alone', element('listItem', {}, paragraph('x')), []],
    ['text without a block', words('loose'), ['text']],
  ])('%s is drawn, or kept out', (_case, content, names) => {
    const text = newText();
    text.insert(0, [content]);
    expect(guard.all(text)).toEqual(names);
  });

  test('other shared types among elements and values are foreign', () => {
    const text = newText();
    const block = element('paragraph');
    text.insert(0, [block]);
    block.insert(0, [new Y.XmlHook('hook') as unknown as Y.XmlElement]);
    block.setAttribute('data', new Y.Map() as unknown as string);
    expect(guard.all(text)).toEqual(['paragraph.data', 'unknown']);
  });

  test('attributes of a text are foreign', () => {
    const text = newText();
    const run = words('x');
    text.insert(0, [element('paragraph', {}, run)]);
    run.setAttribute('format', 1);
    expect(guard.all(text)).toEqual(['text.format']);
  });

  test('elements deeper than a view can draw are foreign, however deep', () => {
    const text = newText();
    let inner = paragraph('x');
    text.doc?.transact(() => {
      text.insert(0, [inner]);
      for (let depth = 0; depth < 5000; depth += 1) {
        const next = element('blockquote');
        inner.insert(0, [next]);
        inner = next;
      }
    });
    expect(guard.all(text)).toEqual(['depth']);
  });

  test('embedded object is foreign', () => {
    const text = newText();
    const run = new Y.XmlText();
    text.insert(0, [element('paragraph', {}, run)]);
    run.insertEmbed(0, { image: 'x.png' });
    expect(guard.all(text)).toEqual(['embed']);
  });

  test('text of another kind under the same name is foreign', () => {
    const document = new Y.Doc();
    document.getText(TEXT_NAME).insert(0, 'plain');
    const copy = new Y.Doc();
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(document));
    expect(guard.all(copy.getXmlFragment(TEXT_NAME))).toEqual(['text']);
  });

  test('misfit without text is left to the binding', () => {
    const text = newText();
    text.insert(0, [element('bulletList'), paragraph('stays')]);
    expect(guard.all(text)).toEqual([]);
  });

  test('attribute without a value and overlapping marks are known', () => {
    const text = newText();
    text.insert(0, [paragraph('x', { 'bold--aB3+/x9=': {} })]);
    expect(guard.all(text)).toEqual([]);
  });
});

describe('what a transaction touched', () => {
  function touched(text: Y.XmlFragment, change: () => void): readonly string[] {
    let names: readonly string[] = ['no transaction'];
    const { doc } = text;
    doc?.once('afterTransaction', (transaction: Y.Transaction) => {
      names = guard.touched(text, transaction);
    });
    doc?.transact(change);
    return names;
  }

  function withParagraph(): { text: Y.XmlFragment; block: Y.XmlElement; run: Y.XmlText } {
    const text = newText();
    const run = words('hello');
    const block = element('paragraph', {}, run);
    text.insert(0, [block]);
    return { text, block, run };
  }

  test('typing is known', () => {
    const { text, run } = withParagraph();
    expect(touched(text, () => run.insert(5, ' world'))).toEqual([]);
  });

  test('object in old text is found', () => {
    const { text, run } = withParagraph();
    expect(touched(text, () => run.insertEmbed(2, { image: 'x.png' }))).toEqual(['embed']);
  });

  test('object deep in new content is found', () => {
    const { text } = withParagraph();
    const run = words('x');
    const quote = element('blockquote', {}, element('callout', {}, element('paragraph', {}, run)));
    const change = () => {
      text.insert(1, [quote]);
      run.insertEmbed(0, {});
    };
    expect(touched(text, change)).toEqual(['embed']);
  });

  test('shared type as a value of an old element is found', () => {
    const { text, block } = withParagraph();
    const change = () => block.setAttribute('data', new Y.Map() as unknown as string);
    expect(touched(text, change)).toEqual(['paragraph.data']);
  });

  test('change outside the text is not looked at', () => {
    const { text } = withParagraph();
    expect(touched(text, () => text.doc?.getMap('other').set('callout', 1))).toEqual([]);
  });

  test('change in what is deleted in the same breath is not looked at', () => {
    const { text, block, run } = withParagraph();
    const change = () => {
      run.insertEmbed(0, {});
      text.delete(text.toArray().indexOf(block), 1);
    };
    expect(touched(text, change)).toEqual([]);
  });
});
