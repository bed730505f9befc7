/** The blocks that can be made from the slash menu and the format bar. */
import type { ChainedCommands, Editor } from '@tiptap/core';
import { words } from '../ui/words';
import type { IconName } from '../ui/icons';
import { keepingListsApart } from './lists';

/** A kind of block, and how to turn the caret's block into it. */
export interface Block {
  readonly id: string;
  readonly label: string;
  readonly icon: IconName;
  /** What else people type to find it. */
  readonly keywords: string;
  readonly apply: (chain: ChainedCommands) => ChainedCommands;
  readonly isActive: (editor: Editor) => boolean;
}

const labels = words.editor.blocks;

function heading(level: 1 | 2 | 3): Block {
  return {
    id: `heading${level}`,
    label: labels[`heading${level}`],
    icon: `heading${level}`,
    keywords: `h${level} title`,
    apply: (chain) => chain.setHeading({ level }),
    isActive: (editor) => editor.isActive('heading', { level }),
  };
}

/** In the order of the slash menu. */
export const blocks: readonly Block[] = [
  {
    id: 'paragraph',
    label: labels.paragraph,
    icon: 'paragraph',
    keywords: 'plain paragraph',
    apply: (chain) => chain.clearNodes(),
    isActive: (editor) => editor.isActive('paragraph'),
  },
  heading(1),
  heading(2),
  heading(3),
  {
    id: 'bulletList',
    label: labels.bulletList,
    icon: 'bulletList',
    keywords: 'unordered points ul',
    apply: (chain) => keepingListsApart(chain.toggleBulletList()),
    isActive: (editor) => editor.isActive('bulletList'),
  },
  {
    id: 'orderedList',
    label: labels.orderedList,
    icon: 'orderedList',
    keywords: 'ordered numbers ol',
    apply: (chain) => chain.toggleOrderedList(),
    isActive: (editor) => editor.isActive('orderedList'),
  },
  {
    id: 'taskList',
    label: labels.taskList,
    icon: 'taskList',
    keywords: 'todo to do checkbox',
    apply: (chain) => keepingListsApart(chain.toggleTaskList()),
    isActive: (editor) => editor.isActive('taskList'),
  },
  {
    id: 'blockquote',
    label: labels.blockquote,
    icon: 'quote',
    keywords: 'citation blockquote',
    apply: (chain) => chain.toggleBlockquote(),
    isActive: (editor) => editor.isActive('blockquote'),
  },
  {
    id: 'codeBlock',
    label: labels.codeBlock,
    icon: 'codeBlock',
    keywords: 'program pre',
    apply: (chain) => chain.toggleCodeBlock(),
    isActive: (editor) => editor.isActive('codeBlock'),
  },
  {
    id: 'table',
    label: labels.table,
    icon: 'table',
    keywords: 'grid rows columns',
    apply: (chain) => chain.insertTable({ rows: 3, cols: 3, withHeaderRow: true }),
    isActive: (editor) => editor.isActive('table'),
  },
  {
    id: 'rule',
    label: labels.rule,
    icon: 'rule',
    keywords: 'horizontal line separator hr',
    apply: (chain) => chain.setHorizontalRule(),
    isActive: () => false,
  },
];

/** The blocks whose label or keywords have a word that begins with `query`. */
export function findBlocks(query: string): readonly Block[] {
  const wanted = query.toLowerCase();
  return blocks.filter((block) => {
    const text = `${block.label} ${block.keywords}`.toLowerCase();
    return text.startsWith(wanted) || text.includes(` ${wanted}`);
  });
}
