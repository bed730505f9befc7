/**
 * The editor's schema and typing rules: Tiptap's stock nodes and marks under their stock names, so
 * that any stock Tiptap editor can share a note. The guard reads its schema from here too.
 *
 * Not in it, on purpose: an own undo history (the shared one undoes only what was typed here), and
 * the trailing paragraph, which every open page would write into the shared text by itself.
 */
import { getSchema, type Extensions } from '@tiptap/core';
import { TaskItem, TaskList } from '@tiptap/extension-list';
import { TableKit } from '@tiptap/extension-table';
import type { Schema } from '@tiptap/pm/model';
import StarterKit from '@tiptap/starter-kit';
import Heading from '@tiptap/extension-heading';
import { words } from '../ui/words';

/** The page's own h1 is the title, so a heading in the text is announced one level lower. */
const TextHeading = Heading.extend({
  renderHTML({ node, HTMLAttributes }) {
    const level = Number(node.attrs['level']);
    return [`h${level}`, { ...HTMLAttributes, 'aria-level': String(level + 1) }, 0];
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
  TaskItem.configure({
    nested: true,
    a11y: { checkboxLabel: (node) => words.editor.taskLabel(node.textContent) },
  }),
  TableKit.configure({ table: { resizable: false } }),
];

/** The schema alone, for the guard and for Markdown. */
export const textSchema: Schema = getSchema(textExtensions);
