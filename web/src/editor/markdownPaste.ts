/**
 * Pasting Markdown: plain text that looks like Markdown becomes blocks. Text with its own
 * formatting keeps that; Mod+Shift+V and code blocks take the characters as they are.
 */
import { Extension } from '@tiptap/core';
import { Fragment, Node, Slice, type Schema } from '@tiptap/pm/model';
import { Plugin } from '@tiptap/pm/state';
import type { EditorView } from '@tiptap/pm/view';
import { isAllowedUri } from '@tiptap/extension-link';

/** What only Markdown has: block marks at the start of a line, or a pair of inline marks. */
const SIGNS: readonly RegExp[] = [
  /^#{1,6} \S/m,
  /^\s{0,3}[-*+] \S/m,
  /^\s{0,3}\d{1,9}[.)] \S/m,
  /^> ?\S/m,
  /^\s{0,3}(```|~~~)/m,
  /^\|.+\|\s*\n\|[\s:|-]+\|\s*$/m,
  /\[[^\]\n]+\]\([^)\s]+\)/,
  /\*\*\S[^*\n]*\*\*/,
  /`[^`\n]+`/,
];

/** Whether the text has a sign of Markdown in it. */
export function looksLikeMarkdown(text: string): boolean {
  return SIGNS.some((sign) => sign.test(text));
}

/** The extension. */
export const markdownPaste = Extension.create({
  name: 'markdownPaste',
  addProseMirrorPlugins: () => [pastePlugin()],
});

function pastePlugin(): Plugin {
  let shiftHeld = false;
  return new Plugin({
    props: {
      handleDOMEvents: {
        keydown: (_view, event) => {
          shiftHeld = event.shiftKey;
        },
        keyup: (_view, event) => {
          shiftHeld = event.shiftKey;
        },
      },
      handlePaste: (view, event) => !shiftHeld && takePaste(view, event),
    },
  });
}

/** Whether the pasted text is Markdown; if so, it will be put in as blocks. */
function takePaste(view: EditorView, event: ClipboardEvent): boolean {
  const text = event.clipboardData?.getData('text/plain') ?? '';
  const isFormatted = event.clipboardData?.types.includes('text/html') === true;
  const inCode = view.state.selection.$from.parent.type.spec.code === true;
  if (isFormatted || inCode || !looksLikeMarkdown(text)) return false;
  void pasteMarkdown(view, text);
  return true;
}

async function pasteMarkdown(view: EditorView, text: string): Promise<void> {
  try {
    const { blocksOfMarkdown } = await import('./markdown');
    const { schema } = view.state;
    const blocks = blocksOfMarkdown(text).map((block) => Node.fromJSON(schema, block));
    if (!view.isDestroyed) insert(view, safeBlocks(schema, blocks));
  } catch {
    // The part that reads Markdown could not be loaded, or made something that does not fit.
    if (!view.isDestroyed) view.pasteText(text);
  }
}

function insert(view: EditorView, blocks: readonly Node[]): void {
  const first = blocks[0];
  // A single paragraph flows into the one that the caret is in.
  const isInline = blocks.length === 1 && first?.type.name === 'paragraph';
  const open = isInline ? 1 : 0;
  const slice = new Slice(Fragment.from(blocks), open, open);
  const paste = view.state.tr.replaceSelection(slice).scrollIntoView();
  view.dispatch(paste.setMeta('paste', true).setMeta('uiEvent', 'paste'));
}

/** Takes away links to what no link may lead to. */
function safeBlocks(schema: Schema, blocks: readonly Node[]): readonly Node[] {
  const clean = (node: Node): Node => {
    if (!node.isText) return node.copy(Fragment.from(node.children.map(clean)));
    const marks = node.marks.filter(
      (mark) =>
        mark.type !== schema.marks['link'] || Boolean(isAllowedUri(String(mark.attrs['href']))),
    );
    return node.mark(marks);
  };
  return blocks.map(clean);
}
