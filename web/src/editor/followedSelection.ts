/** Every kind of selection, after others have changed the shared text. */
import { GapCursor } from '@tiptap/pm/gapcursor';
import type { Node } from '@tiptap/pm/model';
import { NodeSelection, Selection, TextSelection } from '@tiptap/pm/state';
import { CellSelection } from '@tiptap/pm/tables';
import { followedCaret, followedNode } from './anchors';
import type { SharedMoment } from './sharedMoment';

/** The selection in the new document; `null` to leave it as the binding has it. */
export function followedSelection(
  then: Selection,
  moment: SharedMoment,
  now: Node,
): Selection | null {
  if (then instanceof CellSelection) return followedCells(then, moment, now);
  if (then instanceof NodeSelection) return selectedNode(then, moment, now);
  if (then instanceof GapCursor) return followedGap(then, moment, now);
  return then instanceof TextSelection ? followedText(then, moment, now) : null;
}

function followedText(then: Selection, moment: SharedMoment, now: Node): Selection | null {
  const anchor = followedCaret(then.$anchor, moment, now);
  const head = then.empty ? anchor : followedCaret(then.$head, moment, now);
  if (anchor === null || head === null) return null;
  return TextSelection.between(now.resolve(anchor), now.resolve(head));
}

/** Cells that are gone are left out; a selection without any cell is a caret. */
function followedCells(then: CellSelection, moment: SharedMoment, now: Node): Selection | null {
  const left: number[] = [];
  const placeOf = (position: number): number | null => {
    const $cell = then.$anchorCell.doc.resolve(position);
    const element = moment.elementAt($cell.doc.resolve(position + 1), $cell.depth + 1);
    const place = element === null ? null : moment.placeOf(element, now);
    return place === null ? null : place.start - 1;
  };
  then.forEachCell((_cell, position) => {
    const place = placeOf(position);
    if (place !== null) left.push(place);
  });
  const anchor = placeOf(then.$anchorCell.pos) ?? left[0];
  const head = placeOf(then.$headCell.pos) ?? left.at(-1);
  if (anchor === undefined || head === undefined) return followedText(then, moment, now);
  const areInOneTable = now.resolve(anchor).node(-1) === now.resolve(head).node(-1);
  return CellSelection.create(now, anchor, areInOneTable ? head : anchor);
}

/** Another node is never selected in place of one that is gone: the next key might be Delete. */
function selectedNode(then: NodeSelection, moment: SharedMoment, now: Node): Selection | null {
  const position = followedNode(then.$from, moment, now);
  const node = position === null ? null : now.nodeAt(position);
  const isThere = node?.type === then.node.type && NodeSelection.isSelectable(node);
  if (position !== null && isThere) return NodeSelection.create(now, position);
  return followedGap(then, moment, now);
}

function followedGap(then: Selection, moment: SharedMoment, now: Node): Selection | null {
  const position = followedCaret(then.$from, moment, now);
  return position === null ? null : Selection.near(now.resolve(position), -1);
}
