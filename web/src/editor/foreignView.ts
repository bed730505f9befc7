/**
 * Draws content that is only shown: known elements as themselves, unknown ones in a box that says
 * their name. Takes any names and any values, and writes nothing.
 *
 * It draws parts, which are the same for shared elements and for nodes of the editor.
 */
import { isAllowedUri } from '@tiptap/extension-link';
import type { Node as TextNode } from '@tiptap/pm/model';
import { words } from '../ui/words';
import type { Values } from './values';

/** A piece of text and what is marked on it: names and values. */
export interface Run {
  readonly text: string;
  readonly marks: readonly (readonly [name: string, value: unknown])[];
}

/** An element: what it is called, its values and what is in it. */
export interface Part {
  readonly name: string;
  readonly values: Values;
  readonly children: readonly (Part | Run)[];
}

const TAGS: ReadonlyMap<string, string> = new Map([
  ['paragraph', 'p'],
  ['heading', 'h6'],
  ['bulletList', 'ul'],
  ['orderedList', 'ol'],
  ['listItem', 'li'],
  ['taskList', 'ul'],
  ['taskItem', 'li'],
  ['blockquote', 'blockquote'],
  ['codeBlock', 'pre'],
  ['horizontalRule', 'hr'],
  ['hardBreak', 'br'],
  ['table', 'table'],
  ['tableRow', 'tr'],
  ['tableCell', 'td'],
  ['tableHeader', 'th'],
]);

const MARK_TAGS: ReadonlyMap<string, string> = new Map([
  ['bold', 'strong'],
  ['italic', 'em'],
  ['underline', 'u'],
  ['strike', 's'],
  ['code', 'code'],
  ['link', 'a'],
]);

const HEADING_LAST = 6;
const SPAN_MAX = 1000;
const NAME_SHOWN_MAX = 60;

/** What an editor's node is, as a part. */
export function partOfNode(node: TextNode): Part {
  const children: (Part | Run)[] = [];
  node.forEach((child) => children.push(child.isText ? runOfNode(child) : partOfNode(child)));
  return { name: node.type.name, values: node.attrs, children };
}

function runOfNode(node: TextNode): Run {
  const marks = node.marks.map((mark) => [mark.type.name, mark.attrs] as const);
  return { text: node.text ?? '', marks };
}

/** A foreign node of the editor: its content in a box, with a label that says what it is. */
export function elementOfNode(node: TextNode): HTMLElement {
  const part = partOfNode(node);
  const box = boxOf(part, labelOf(part), node.type.isInline ? 'span' : 'div');
  box.append(...(TAGS.has(part.name) ? [domOf(part)] : domOfAll(part.children)));
  return box;
}

/** The same without box and label, for other pages. */
export function plainOfNode(node: TextNode): HTMLElement {
  const part = partOfNode(node);
  const element = document.createElement(node.type.isInline ? 'span' : 'div');
  element.append(...(TAGS.has(part.name) ? [domOf(part)] : domOfAll(part.children)));
  for (const label of element.querySelectorAll('.unknown-name')) label.remove();
  return element;
}

/** The element that wraps text under a mark which the editor does not know. */
export function elementOfMark(key: string, value: unknown): HTMLElement {
  return markOf(key, value) ?? document.createElement('span');
}

/** Draws parts. */
export function domOfAll(parts: readonly (Part | Run)[]): (Node | string)[] {
  return parts.map((part) => ('text' in part ? domOfRun(part) : domOf(part)));
}

function domOf(part: Part): Node {
  if (part.name === 'taskItem') return taskOf(part);
  const tag = tagOf(part);
  const element = tag === null ? boxOf(part, labelOf(part), 'div') : document.createElement(tag);
  if (part.name === 'taskList') element.dataset['type'] = 'taskList';
  if (element instanceof HTMLTableCellElement) setSpans(element, part.values);
  if (element instanceof HTMLOListElement) setStart(element, part.values['start']);
  element.append(...domOfAll(part.children));
  return element;
}

function tagOf(part: Part): string | null {
  if (part.name !== 'heading') return TAGS.get(part.name) ?? null;
  // One level lower than in the text, as in the editor: the page's own h1 is the title.
  const level = numberOf(part.values['level'], HEADING_LAST) ?? 1;
  return `h${Math.min(level + 1, HEADING_LAST)}`;
}

/** A whole number from 1 to `max`, also where it was stored as a text. */
function numberOf(value: unknown, max: number): number | null {
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  const number = Number(value);
  return Number.isInteger(number) && number >= 1 && number <= max ? number : null;
}

function setSpans(cell: HTMLTableCellElement, values: Values): void {
  cell.colSpan = numberOf(values['colspan'], SPAN_MAX) ?? 1;
  cell.rowSpan = numberOf(values['rowspan'], SPAN_MAX) ?? 1;
}

function setStart(list: HTMLOListElement, value: unknown): void {
  const start = numberOf(value, Number.MAX_SAFE_INTEGER);
  if (start !== null) list.setAttribute('start', String(start));
}

/** Built as the editor builds it, so that it looks the same. */
function taskOf(part: Part): Node {
  const item = document.createElement('li');
  const label = document.createElement('label');
  const box = document.createElement('input');
  const content = document.createElement('div');
  content.append(...domOfAll(part.children));
  box.type = 'checkbox';
  box.disabled = true;
  box.checked = part.values['checked'] === true;
  box.setAttribute('aria-label', words.editor.taskLabel(content.textContent));
  item.dataset['checked'] = String(box.checked);
  label.append(box);
  item.append(label, content);
  return item;
}

function boxOf(part: Part, label: string, tag: 'div' | 'span'): HTMLElement {
  const box = document.createElement(tag);
  const name = document.createElement('span');
  box.className = 'unknown';
  name.className = 'unknown-name';
  name.textContent = label;
  box.append(name);
  const { alt } = part.values;
  if (part.name === 'image' && typeof alt === 'string') box.append(alt);
  return box;
}

function labelOf(part: Part): string {
  const name = part.name.slice(0, NAME_SHOWN_MAX);
  if (part.name === 'image') return words.foreign.picture;
  if (!TAGS.has(part.name)) return words.foreign.unknown(name);
  return part.children.length === 0 ? words.foreign.empty(name) : words.foreign.shown(name);
}

function domOfRun(run: Run): Node | string {
  let node: Node | string = run.text;
  for (const [key, value] of run.marks) {
    const element = markOf(key, value);
    if (element === null) continue;
    element.append(node);
    node = element;
  }
  return node;
}

function markOf(key: string, value: unknown): HTMLElement | null {
  const tag = MARK_TAGS.get(key);
  if (tag === undefined) return null;
  const element = document.createElement(tag);
  if (element instanceof HTMLAnchorElement) setAddress(element, value);
  return element;
}

function setAddress(link: HTMLAnchorElement, value: unknown): void {
  const href = typeof value === 'object' && value !== null && 'href' in value ? value.href : '';
  if (typeof href !== 'string' || !isAllowedUri(href)) return;
  link.href = href;
  link.rel = 'noopener noreferrer nofollow';
  link.target = '_blank';
}
