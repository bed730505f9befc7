/**
 * Keeps the caret beside its text when somebody else splits the paragraph in front of it.
 *
 * In the shared text a split takes the end of a paragraph away and puts a copy of it into a new
 * one, so a caret in that end falls back to where the split was. After a change by others, this
 * looks whether the caret fell to the end of its block and the characters that stood around it
 * now stand in the block below, which was not there before; then the caret goes there.
 * Known upstream as tiptap #7213.
 */
import { Extension } from '@tiptap/core';
import type { Node, ResolvedPos } from '@tiptap/pm/model';
import { Plugin, TextSelection, type EditorState, type Transaction } from '@tiptap/pm/state';
import { ySyncPluginKey } from '@tiptap/y-tiptap';

const CONTEXT_LENGTH = 20;
/** Stands for anything in a line that is not text, so that offsets stay positions. */
const OBJECT = '\uFFFC';

/** The extension. */
export const followCaret = Extension.create({
  name: 'followCaret',
  addProseMirrorPlugins: () => [new Plugin({ appendTransaction: follow })],
});

function follow(
  transactions: readonly Transaction[],
  before: EditorState,
  after: EditorState,
): Transaction | null {
  const isRemote = transactions.some((transaction) => {
    const change: { isChangeOrigin?: boolean } | undefined = transaction.getMeta(ySyncPluginKey);
    return transaction.docChanged && change?.isChangeOrigin === true;
  });
  if (!isRemote || !(after.selection instanceof TextSelection)) return null;
  const anchor = followed(before.selection.$anchor, after.selection.$anchor);
  const head = followed(before.selection.$head, after.selection.$head);
  if (anchor === after.selection.anchor && head === after.selection.head) return null;
  const selection = TextSelection.create(after.doc, anchor, head);
  return after.tr.setSelection(selection).setMeta('addToHistory', false);
}

/** Where the position belongs now: `now`, or its text's place in the block below. */
function followed(then: ResolvedPos, now: ResolvedPos): number {
  const fellToEnd = now.parent.isTextblock && now.parentOffset === now.parent.content.size;
  if (!fellToEnd || !then.parent.isTextblock) return now.pos;
  const below = nextTextblock(now);
  if (below === null || below.text === nextTextblock(then)?.text) return now.pos;
  const context = contextOf(then);
  const offset = bestOffset(context, below.text);
  const stays = likeness(context, lineOf(now.parent), now.parentOffset);
  return likeness(context, below.text, offset) > stays ? below.start + offset : now.pos;
}

interface Context {
  readonly before: string;
  readonly after: string;
}

function contextOf(position: ResolvedPos): Context {
  const line = lineOf(position.parent);
  const at = position.parentOffset;
  return {
    before: line.slice(Math.max(0, at - CONTEXT_LENGTH), at),
    after: line.slice(at, at + CONTEXT_LENGTH),
  };
}

function lineOf(block: Node): string {
  return block.textBetween(0, block.content.size, undefined, OBJECT);
}

function nextTextblock(position: ResolvedPos): { start: number; text: string } | null {
  let found: { start: number; text: string } | null = null;
  const { doc } = position;
  doc.nodesBetween(position.after(), doc.content.size, (node, at) => {
    if (found === null && node.isTextblock) found = { start: at + 1, text: lineOf(node) };
    return found === null;
  });
  return found;
}

function bestOffset(context: Context, line: string): number {
  let best = 0;
  for (let offset = 1; offset <= line.length; offset += 1) {
    if (likeness(context, line, offset) > likeness(context, line, best)) best = offset;
  }
  return best;
}

/** How many characters of the context stand around `offset`. */
function likeness(context: Context, line: string, offset: number): number {
  let before = 0;
  const { length } = context.before;
  while (before < length && context.before[length - 1 - before] === line[offset - 1 - before]) {
    before += 1;
  }
  let after = 0;
  while (after < context.after.length && context.after[after] === line[offset + after]) after += 1;
  return before + after;
}
