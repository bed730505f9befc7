/**
 * Puts in order what is pasted or dropped: HTML from anywhere may hold values that no attribute
 * takes, such as a cell over a million columns. They become what the schema says where nothing is
 * said; marks with such values, and the table around cells that are too wide together, go.
 */
import { Extension } from '@tiptap/core';
import { Fragment, type Node, Slice } from '@tiptap/pm/model';
import { Plugin } from '@tiptap/pm/state';
import { given, isDrawableTable, takes } from './values';

/** The extension. */
export const pastedValues = Extension.create({
  name: 'pastedValues',
  addProseMirrorPlugins: () => [
    new Plugin({
      props: {
        transformPasted: ({ content, openStart, openEnd }) =>
          new Slice(inOrder(content), openStart, openEnd),
      },
    }),
  ],
});

function inOrder(content: Fragment): Fragment {
  return Fragment.from(content.content.map(nodeInOrder));
}

function nodeInOrder(node: Node): Node {
  const marks = node.marks.filter((mark) => takes(mark.type.name, given(mark.attrs)));
  if (node.isText) return node.mark(marks);
  const attrs = Object.entries(node.attrs).filter(([key, value]) =>
    takes(node.type.name, given({ [key]: value })),
  );
  const made = node.type.create(Object.fromEntries(attrs), inOrder(node.content), marks);
  const isTable = node.type.spec['tableRole'] === 'table';
  return isTable && !isDrawableTable(made) ? narrow(made) : made;
}

/** The table with every cell over one place. */
function narrow(table: Node): Node {
  const rows = table.children.map((row) =>
    row.copy(Fragment.from(row.children.map((cell) => cell.type.create(null, cell.content)))),
  );
  return table.copy(Fragment.from(rows));
}
