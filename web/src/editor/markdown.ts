/**
 * Markdown text to editor content. Loaded only when somebody pastes Markdown.
 *
 * `marked` reads the text into tokens; its HTML is not used, so nothing that is pasted becomes
 * markup by itself. HTML inside the Markdown stays visible as text.
 */
import type { JSONContent } from '@tiptap/core';
import { lexer, type Token, type Tokens } from 'marked';

type Marks = NonNullable<JSONContent['marks']>;

/** The blocks that the Markdown text says. */
export function blocksOfMarkdown(text: string): JSONContent[] {
  return blocksOf(lexer(text, { gfm: true }));
}

function blocksOf(tokens: readonly Token[]): JSONContent[] {
  return tokens.flatMap((token) => blockOf(token as MarkedToken));
}

/** The tokens that `marked` makes by itself; its open type allows more only for its extensions. */
type MarkedToken =
  | Tokens.Heading
  | Tokens.Paragraph
  | Tokens.List
  | Tokens.Blockquote
  | Tokens.Code
  | Tokens.Table
  | Tokens.Hr
  | Tokens.Space
  | Tokens.Def
  | Tokens.HTML
  | Tokens.Text
  | Tokens.Checkbox;

function blockOf(token: MarkedToken): JSONContent[] {
  switch (token.type) {
    case 'heading':
      return [{ type: 'heading', attrs: { level: token.depth }, content: inline(token.tokens) }];
    case 'paragraph':
      return [paragraph(inline(token.tokens))];
    case 'text':
      return [
        paragraph('tokens' in token && token.tokens ? inline(token.tokens) : words(token.text)),
      ];
    case 'list':
      return listOf(token as Tokens.List);
    case 'blockquote':
      return [{ type: 'blockquote', content: orEmpty(blocksOf(token.tokens ?? [])) }];
    case 'code':
      return [codeBlock(token as Tokens.Code)];
    case 'table':
      return [tableOf(token as Tokens.Table)];
    case 'hr':
      return [{ type: 'horizontalRule' }];
    case 'html':
      return [paragraph(words(token.text.trim()))];
    default:
      return [];
  }
}

function paragraph(content: JSONContent[]): JSONContent {
  return { type: 'paragraph', content };
}

function orEmpty(blocks: JSONContent[]): JSONContent[] {
  return blocks.length > 0 ? blocks : [paragraph([])];
}

function codeBlock(token: Tokens.Code): JSONContent {
  const language = token.lang === undefined || token.lang === '' ? null : token.lang;
  return { type: 'codeBlock', attrs: { language }, content: words(token.text) };
}

/** A list with tasks and points in it becomes several lists, so that no box is lost. */
function listOf(list: Tokens.List): JSONContent[] {
  const lists: JSONContent[] = [];
  for (const item of list.items) {
    const type = item.task ? 'taskList' : list.ordered ? 'orderedList' : 'bulletList';
    const last = lists.at(-1);
    if (last?.type === type) last.content?.push(itemOf(item));
    else lists.push(emptyList(type, list, itemOf(item)));
  }
  return lists;
}

function emptyList(type: string, list: Tokens.List, first: JSONContent): JSONContent {
  const start = typeof list.start === 'number' ? list.start : 1;
  return type === 'orderedList'
    ? { type, attrs: { start }, content: [first] }
    : { type, content: [first] };
}

function itemOf(item: Tokens.ListItem): JSONContent {
  const blocks = orEmpty(blocksOf(item.tokens.filter((token) => token.type !== 'checkbox')));
  // An item begins with a paragraph, whatever its Markdown begins with.
  const content = blocks[0]?.type === 'paragraph' ? blocks : [paragraph([]), ...blocks];
  return item.task
    ? { type: 'taskItem', attrs: { checked: item.checked === true }, content }
    : { type: 'listItem', content };
}

function tableOf(table: Tokens.Table): JSONContent {
  const row = (cells: readonly Tokens.TableCell[], type: string): JSONContent => ({
    type: 'tableRow',
    content: cells.map((cell) => ({ type, content: [paragraph(inline(cell.tokens))] })),
  });
  const body = table.rows.map((cells) => row(cells, 'tableCell'));
  return { type: 'table', content: [row(table.header, 'tableHeader'), ...body] };
}

function inline(tokens: readonly Token[] | undefined, marks: Marks = []): JSONContent[] {
  return (tokens ?? []).flatMap((token) => inlineOf(token, marks));
}

function inlineOf(token: Token, marks: Marks): JSONContent[] {
  const children = 'tokens' in token ? token.tokens : undefined;
  switch (token.type) {
    case 'strong':
      return inline(children, [...marks, { type: 'bold' }]);
    case 'em':
      return inline(children, [...marks, { type: 'italic' }]);
    case 'del':
      return inline(children, [...marks, { type: 'strike' }]);
    case 'codespan':
      // The schema lets code stand with no other mark.
      return words(token.text, [{ type: 'code' }]);
    case 'link':
      return inline(children, [...marks, { type: 'link', attrs: { href: token.href } }]);
    case 'image':
      return words(token.text || token.href, [
        ...marks,
        { type: 'link', attrs: { href: token.href } },
      ]);
    case 'br':
      return [{ type: 'hardBreak' }];
    case 'checkbox':
      return [];
    case 'text':
    case 'escape':
      return children === undefined ? words(token.text, marks) : inline(children, marks);
    default:
      return words(token.raw, marks);
  }
}

function words(text: string, marks: Marks = []): JSONContent[] {
  return text === '' ? [] : [{ type: 'text', text, marks: [...marks] }];
}
