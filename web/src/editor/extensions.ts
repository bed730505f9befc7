/**
 * The editor's schema and typing rules: Tiptap's stock nodes and marks under their stock names, so
 * that any stock Tiptap editor can share a note. The guard reads its schema from here too.
 *
 * Not in it, on purpose: an own undo history (the shared one undoes only what was typed here), and
 * the trailing paragraph, which every open page would write into the shared text by itself.
 */
import { getSchema, type Extensions } from '@tiptap/core';
import { TaskItem, TaskList } from '@tiptap/extension-list';
import type { Schema } from '@tiptap/pm/model';
import StarterKit from '@tiptap/starter-kit';
import Heading from '@tiptap/extension-heading';
import { words } from '../ui/words';
import { foreignExtensions, isForeign } from './foreignTypes';
import { ForeignView } from './foreignNodes';
import { tableExtensions } from './tables';

/** The page's own h1 is the title, so a heading in the text is announced one level lower. */
const TextHeading = Heading.extend({
  renderHTML({ node, HTMLAttributes }) {
    const level = Number(node.attrs['level']);
    return [`h${level}`, { ...HTMLAttributes, 'aria-level': String(level + 1) }, 0];
  },
});

/** A task with values that the stock view cannot show is only shown. */
const TextTask = TaskItem.extend({
  addNodeView() {
    const stock = this.parent?.();
    if (typeof stock !== 'function') return null;
    return (parts) => (isForeign(parts.node) ? new ForeignView(parts.node) : stock(parts));
  },
});

/** Nodes, marks and their typing rules. */
export const textExtensions: Extensions = [
  StarterKit.configure({
    heading: false,
    undoRedo: false,
    trailingNode: false,
    link: { openOnClick: false, defaultProtocol: 'https', markdownLinks: true },
    dropcursor: { color: false, class: 'drop-line' },
  }),
  TextHeading,
  TaskList,
  TextTask.configure({
    nested: true,
    a11y: { checkboxLabel: (node) => words.editor.taskLabel(node.textContent) },
  }),
  ...tableExtensions,
  ...foreignExtensions,
];

/** The schema alone, for the guard and for Markdown. */
export const textSchema: Schema = getSchema(textExtensions);
