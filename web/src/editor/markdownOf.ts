/**
 * A note as Markdown, for somebody who takes a copy with them. Loaded only then.
 *
 * Reads the shared types and not the editor, so that it also works where there is none; of content
 * that it does not know it keeps the words. Underlining has no Markdown and is left out.
 */
import * as Y from 'yjs';

interface Run {
  readonly insert: unknown;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

const MARKS: Readonly<Record<string, string>> = { bold: '**', italic: '*', strike: '~~' };
/** What would begin a mark, a link or markup in the middle of a line. */
const SPECIAL = /[\\`*_[\]<>~|]/g;
/** What would begin a block at the start of a line. */
const BLOCK_START = /^(\s*\d*)(#+|-+|[+.)])(?=\s|$)/;

/** The note's text under its title. */
export function markdownOf(title: string, text: Y.XmlFragment): string {
  const blocks = blocksOf(text);
  return [...(title === '' ? [] : [`# ${escaped(title)}`]), ...blocks].join('\n\n') + '\n';
}

function blocksOf(parent: Y.XmlFragment): string[] {
  return (parent.toArray() as unknown[]).flatMap((child) => {
    if (child instanceof Y.XmlElement) return [blockOf(child)];
    return child instanceof Y.XmlText ? [lineOf(runsOf(child))] : [];
  });
}

function blockOf(block: Y.XmlElement): string {
  switch (block.nodeName) {
    case 'paragraph':
      return lineOf(inline(block));
    case 'heading':
      return `${'#'.repeat(Math.min(Number(attribute(block, 'level')) || 1, 6))} ${inline(block)}`;
    case 'bulletList':
      return listOf(block, () => '- ');
    case 'orderedList':
      return listOf(block, (index) => `${(Number(attribute(block, 'start')) || 1) + index}. `);
    case 'taskList':
      return listOf(block, (_index, item) =>
        attribute(item, 'checked') === true ? '- [x] ' : '- [ ] ',
      );
    case 'blockquote':
      return prefixed(blocksOf(block).join('\n\n'), '> ', '> ');
    case 'codeBlock':
      return codeOf(block);
    case 'horizontalRule':
      return '---';
    case 'table':
      return tableOf(block);
    default:
      return blocksOf(block).join('\n\n');
  }
}

function listOf(list: Y.XmlElement, marker: (index: number, item: Y.XmlElement) => string): string {
  return elementsOf(list)
    .map((item, index) => {
      const first = marker(index, item);
      const indent = ' '.repeat(first.startsWith('-') ? 2 : first.length);
      return prefixed(blocksOf(item).join('\n'), first, indent);
    })
    .join('\n');
}

function codeOf(block: Y.XmlElement): string {
  const code = plain(block);
  const longest = Math.max(2, ...[...code.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  const language = attribute(block, 'language');
  return `${fence}${typeof language === 'string' ? language : ''}\n${code}\n${fence}`;
}

function tableOf(table: Y.XmlElement): string {
  const rows = elementsOf(table).map((row) =>
    elementsOf(row).map((cell) => blocksOf(cell).join(' ').replaceAll('\n', ' ')),
  );
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = (rows[0] ?? []).map(() => '---');
  return [line(rows[0] ?? []), line(rule), ...rows.slice(1).map(line)].join('\n');
}

function inline(block: Y.XmlElement): string {
  return (block.toArray() as unknown[])
    .map((child) => {
      if (child instanceof Y.XmlText) return runsOf(child);
      if (!(child instanceof Y.XmlElement)) return '';
      return child.nodeName === 'hardBreak' ? '\\\n' : inline(child);
    })
    .join('');
}

function runsOf(text: Y.XmlText): string {
  return (text.toDelta() as Run[]).map(runOf).join('');
}

function runOf({ insert, attributes = {} }: Run): string {
  if (typeof insert !== 'string') return '';
  if ('code' in attributes) return `\`${insert}\``;
  // Marks stand against the words: Markdown takes none that begin or end with a space.
  const [, before = '', words = '', after = ''] = /^(\s*)(.*?)(\s*)$/s.exec(insert) ?? [];
  if (words === '') return insert;
  let marked = escaped(words);
  for (const [name, mark] of Object.entries(MARKS)) {
    if (name in attributes) marked = mark + marked + mark;
  }
  const link = attributes['link'];
  if (typeof link === 'object' && link !== null && 'href' in link) {
    marked = `[${marked}](<${String(link.href).replace(/[<>]/g, encodeURIComponent)}>)`;
  }
  return before + marked + after;
}

function lineOf(line: string): string {
  return line.replace(BLOCK_START, '$1\\$2');
}

function escaped(text: string): string {
  return text.replace(SPECIAL, '\\$&');
}

function prefixed(text: string, first: string, others: string): string {
  return text
    .split('\n')
    .map((line, index) => ((index === 0 ? first : others) + line).trimEnd())
    .join('\n');
}

function plain(block: Y.XmlElement): string {
  return (block.toArray() as unknown[])
    .map((child) => (child instanceof Y.XmlText ? plainText(child) : ''))
    .join('');
}

function plainText(text: Y.XmlText): string {
  return (text.toDelta() as Run[])
    .map(({ insert }) => (typeof insert === 'string' ? insert : ''))
    .join('');
}

function elementsOf(parent: Y.XmlElement): Y.XmlElement[] {
  return (parent.toArray() as unknown[]).filter((child) => child instanceof Y.XmlElement);
}

function attribute(element: Y.XmlElement, name: string): unknown {
  const attributes: Record<string, unknown> = element.getAttributes();
  return attributes[name];
}
