/** Draws a table with its columns' widths, and takes no other style that somebody stored. */
import type { Node } from '@tiptap/pm/model';
import type { NodeView, ViewMutationRecord } from '@tiptap/pm/view';

const COLUMN_MIN_PX = 25;

/** The view of one table. */
export class TableView implements NodeView {
  readonly dom = document.createElement('div');
  readonly contentDOM = document.createElement('tbody');
  readonly #table = document.createElement('table');
  readonly #columns = document.createElement('colgroup');
  #node: Node;

  constructor(node: Node) {
    this.#node = node;
    this.dom.className = 'tableWrapper';
    this.#table.append(this.#columns, this.contentDOM);
    this.dom.append(this.#table);
    this.#draw();
  }

  update(node: Node): boolean {
    if (!node.sameMarkup(this.#node)) return false;
    this.#node = node;
    this.#draw();
    return true;
  }

  ignoreMutation(mutation: ViewMutationRecord): boolean {
    const isOurs = !this.contentDOM.contains(mutation.target);
    return mutation.type !== 'selection' && isOurs;
  }

  #draw(): void {
    const widths = widthsIn(this.#node);
    const columns = widths.map((width) => {
      const column = document.createElement('col');
      if (width === 0) column.style.minWidth = `${COLUMN_MIN_PX}px`;
      else column.style.width = `${Math.max(width, COLUMN_MIN_PX)}px`;
      return column;
    });
    this.#columns.replaceChildren(...columns);
    const total = widths.reduce((sum, width) => sum + (width || COLUMN_MIN_PX), 0);
    const isFixed = !widths.includes(0);
    this.#table.style.width = isFixed ? `${total}px` : '';
    this.#table.style.minWidth = isFixed ? '' : `${total}px`;
  }
}

/** The width that each column of the first row is to have; 0 for any. */
function widthsIn(table: Node): number[] {
  return (table.firstChild?.children ?? []).flatMap(({ attrs }) => {
    const { colspan, colwidth }: { colspan?: number; colwidth?: readonly number[] | null } = attrs;
    return Array.from({ length: colspan ?? 1 }, (_, index) => colwidth?.[index] ?? 0);
  });
}
