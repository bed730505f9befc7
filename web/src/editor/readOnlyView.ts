/**
 * Shows any shared text without an editor: known elements as themselves, unknown ones in a box
 * that says their name. Reads the shared types only; nothing can be written from here.
 */
import * as Y from 'yjs';
import { isAllowedUri } from '@tiptap/extension-link';
import { words } from '../ui/words';

const TAGS: Readonly<Record<string, string>> = {
  paragraph: 'p',
  bulletList: 'ul',
  orderedList: 'ol',
  listItem: 'li',
  taskList: 'ul',
  taskItem: 'li',
  blockquote: 'blockquote',
  codeBlock: 'pre',
  horizontalRule: 'hr',
  hardBreak: 'br',
  table: 'table',
  tableRow: 'tr',
  tableCell: 'td',
  tableHeader: 'th',
};

const MARK_TAGS: Readonly<Record<string, string>> = {
  bold: 'strong',
  italic: 'em',
  underline: 'u',
  strike: 's',
  code: 'code',
  link: 'a',
};

/** Draws `text` into `element` and again at each change; returns how to stop. */
export function showReadOnly(element: HTMLElement, text: Y.XmlFragment): () => void {
  const draw = () => element.replaceChildren(...childrenOf(text));
  draw();
  text.observeDeep(draw);
  return () => text.unobserveDeep(draw);
}

function childrenOf(parent: Y.XmlFragment): (Node | string)[] {
  return (parent.toArray() as unknown[]).flatMap((child) => {
    if (child instanceof Y.XmlElement) return [elementOf(child)];
    if (child instanceof Y.XmlText) return runsOf(child);
    return [typeof child === 'string' ? child : unknownBox('content')];
  });
}

function elementOf(shared: Y.XmlElement): Node {
  const tag = tagOf(shared);
  if (shared.nodeName === 'taskItem') return taskOf(shared);
  const element = tag === null ? unknownBox(shared.nodeName) : document.createElement(tag);
  if (shared.nodeName === 'taskList') element.dataset['type'] = 'taskList';
  element.append(...childrenOf(shared));
  return element;
}

/** Built as the editor builds it, so that it looks the same. */
function taskOf(shared: Y.XmlElement): Node {
  const attributes: Record<string, unknown> = shared.getAttributes();
  const item = document.createElement('li');
  const label = document.createElement('label');
  const box = document.createElement('input');
  const content = document.createElement('div');
  content.append(...childrenOf(shared));
  box.type = 'checkbox';
  box.disabled = true;
  box.checked = attributes['checked'] === true;
  box.setAttribute('aria-label', words.editor.taskLabel(content.textContent));
  item.dataset['checked'] = String(box.checked);
  label.append(box);
  item.append(label, content);
  return item;
}

function tagOf(shared: Y.XmlElement): string | null {
  if (shared.nodeName !== 'heading') return TAGS[shared.nodeName] ?? null;
  const level = Number(shared.getAttribute('level'));
  return level >= 1 && level <= 5 ? `h${level + 1}` : 'h6';
}

function unknownBox(name: string): HTMLElement {
  const box = document.createElement('div');
  box.className = 'unknown';
  const label = document.createElement('span');
  label.className = 'unknown-name';
  label.textContent = words.foreign.unknown(name);
  box.append(label);
  return box;
}

function runsOf(text: Y.XmlText): (Node | string)[] {
  return (text.toDelta() as { insert: unknown; attributes?: Record<string, unknown> }[]).map(
    (run) => {
      if (typeof run.insert !== 'string') return unknownBox('object');
      let node: Node | string = run.insert;
      for (const [name, value] of Object.entries(run.attributes ?? {}))
        node = marked(name, value, node);
      return node;
    },
  );
}

function marked(name: string, value: unknown, content: Node | string): Node | string {
  const tag = MARK_TAGS[name];
  if (tag === undefined) return content;
  const element = document.createElement(tag);
  element.append(content);
  if (element instanceof HTMLAnchorElement) setAddress(element, value);
  return element;
}

function setAddress(link: HTMLAnchorElement, value: unknown): void {
  const href =
    typeof value === 'object' && value !== null && 'href' in value ? String(value.href) : '';
  if (!isAllowedUri(href)) return;
  link.href = href;
  link.rel = 'noopener noreferrer nofollow';
  link.target = '_blank';
}
