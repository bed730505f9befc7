/**
 * The editor's schema and typing rules: Tiptap's stock nodes and marks under their stock names, so
 * that any stock Tiptap editor can share a note.
 * Not Tiptap's starter kit, because of two things that it brings: an own undo history, where the
 * shared one undoes only what was typed here, and the trailing paragraph, which every open page
 * would write into the shared text by itself.
 */
import { getSchema, type Extensions } from '@tiptap/core';
import { Blockquote } from '@tiptap/extension-blockquote';
import { Bold } from '@tiptap/extension-bold';
import { Code } from '@tiptap/extension-code';
import { CodeBlock } from '@tiptap/extension-code-block';
import { Document } from '@tiptap/extension-document';
import { HardBreak } from '@tiptap/extension-hard-break';
import Heading from '@tiptap/extension-heading';
import { HorizontalRule } from '@tiptap/extension-horizontal-rule';
import { Italic } from '@tiptap/extension-italic';
import { Link } from '@tiptap/extension-link';
import {
  BulletList,
  ListItem,
  ListKeymap,
  OrderedList,
  TaskItem,
  TaskList,
} from '@tiptap/extension-list';
import { Paragraph } from '@tiptap/extension-paragraph';
import { Strike } from '@tiptap/extension-strike';
import { Text } from '@tiptap/extension-text';
import { Underline } from '@tiptap/extension-underline';
import { Dropcursor } from '@tiptap/extensions/drop-cursor';
import { Gapcursor } from '@tiptap/extensions/gap-cursor';
import type { Schema } from '@tiptap/pm/model';
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
  Bold,
  Blockquote,
  BulletList,
  Code,
  CodeBlock,
  Document,
  Dropcursor.configure({ color: false, class: 'drop-line' }),
  Gapcursor,
  HardBreak,
  HorizontalRule,
  Italic,
  ListItem,
  ListKeymap,
  Link.configure({ openOnClick: false, defaultProtocol: 'https', markdownLinks: true }),
  OrderedList,
  Paragraph,
  Strike,
  Text,
  Underline,
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
