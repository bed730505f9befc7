/**
 * Where a place in the old document is in the new one, after others have changed the shared text.
 *
 * A caret stands behind the letter that it stood behind. Where that letter is deleted, it stands
 * behind its copy, if the change took the letters away and put them somewhere else (a split, a join,
 * another kind of block, a restore); else behind the nearest letter before it in its line; else, where
 * the line is gone, in what has come in its place or before it.
 */
import type { Node, ResolvedPos } from '@tiptap/pm/model';
import { Selection } from '@tiptap/pm/state';
import type * as Y from 'yjs';
import { positionInCopy } from './copies';
import {
  elementsIn,
  parentOf,
  textOf,
  type Line,
  type Place,
  type SharedMoment,
} from './sharedMoment';

/** The caret's new position; `null` when shared text and document are not built alike. */
export function followedCaret(then: ResolvedPos, moment: SharedMoment, now: Node): number | null {
  if (!then.parent.inlineContent) return followedGap(then, moment, now);
  const element = moment.elementAt(then);
  if (element === null) return null;
  const line = moment.lineIn(element);
  if (line.was !== textOf(then.parent)) return null;
  const place = moment.placeOf(element, now);
  const offset = then.parentOffset;
  if (place !== null && offset === 0) return place.start;
  const behind = place === null ? -1 : (line.nowAt[offset - 1] ?? -1);
  if (place !== null && behind >= 0) return place.start + behind + 1;
  const copied = positionInCopy({ then, element, line, place }, moment, now);
  if (copied !== null) return copied;
  if (place === null) return placeOfGone(element, offset, moment, now);
  return place.start + lastBefore(line, offset) + 1;
}

/** The node that was behind the position, where it is now; `null` when it is gone. */
export function followedNode(then: ResolvedPos, moment: SharedMoment, now: Node): number | null {
  const parent = then.depth === 0 ? moment.root : moment.elementAt(then);
  if (parent === null) return null;
  if (!then.parent.inlineContent) {
    const element = moment.childAt(parent, then.index());
    const place = element === null ? null : moment.placeOf(element, now);
    return place === null ? null : place.start - 1;
  }
  const place = moment.placeOf(parent, now);
  const offset = moment.lineIn(parent).nowAt[then.parentOffset] ?? -1;
  return place === null || offset < 0 ? null : place.start + offset;
}

/** Between blocks: before the block that was behind the place, or behind the one before it. */
function followedGap(then: ResolvedPos, moment: SharedMoment, now: Node): number | null {
  const parent = then.depth === 0 ? moment.root : moment.elementAt(then);
  if (parent === null) return null;
  const behind = followedNode(then, moment, now);
  if (behind !== null) return behind;
  const before = then.index() === 0 ? null : moment.childAt(parent, then.index() - 1);
  const ahead = before === null ? null : moment.placeOf(before, now);
  if (ahead !== null) return ahead.start - 1 + ahead.node.nodeSize;
  return moment.placeOf(parent, now)?.start ?? null;
}

function lastBefore({ nowAt }: Line, offset: number): number {
  for (let at = offset - 1; at >= 0; at -= 1) {
    const now = nowAt[at] ?? -1;
    if (now >= 0) return now;
  }
  return -1;
}

/** For a line that is gone without a copy: in what has come in its place, or at the end before it. */
function placeOfGone(
  element: Y.XmlElement,
  offset: number,
  moment: SharedMoment,
  now: Node,
): number | null {
  const top = outermostGone(element);
  const parent = parentOf(top);
  const outer = parent === null ? null : moment.placeOf(parent, now);
  if (parent === null || outer === null) return null;
  const successor = moment.successorOf(top);
  const place = successor === null ? null : moment.placeOf(successor, now);
  const line = place === null ? null : firstLineIn(place);
  if (line !== null) return line.start + Math.min(offset, line.node.content.size);
  let [end, index] = [outer.start, 0];
  for (const [item, child] of elementsIn(parent)) {
    if (child === top) break;
    if (!item.deleted) end += outer.node.maybeChild(index++)?.nodeSize ?? 0;
  }
  return Selection.near(now.resolve(end), -1).head;
}

function outermostGone(element: Y.XmlElement): Y.XmlElement {
  let top = element;
  for (let parent = parentOf(top); parent?._item?.deleted === true; parent = parentOf(top)) {
    top = parent as Y.XmlElement;
  }
  return top;
}

function firstLineIn(place: Place): Place | null {
  let { node, start } = place;
  while (!node.isTextblock) {
    const { firstChild } = node;
    if (firstChild === null) return null;
    node = firstChild;
    start += 1;
  }
  return { node, start };
}
