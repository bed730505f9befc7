/**
 * Which values the attributes of known nodes and marks may have, with their types and ranges.
 *
 * What passes here can be made by the binding and drawn by the view; everything else is foreign,
 * kept as it is and shown by `foreignView.ts`. An attribute without a value is as good as absent.
 */
import type { Node } from '@tiptap/pm/model';

const LEVEL_MAX = 6;
/** HTML's own limit for a cell; tables of people stay far below. */
const SPAN_MAX = 1000;
/** The map of a table takes this many places at most. */
const TABLE_PLACES_MAX = 100_000;
const TABLE_LOOKS_MAX = 10_000_000;
const WIDTH_MAX = 10_000;
/** Browsers count in 32 bits. */
const START_MAX = 1_000_000_000;
const NAME_LENGTH_MAX = 200;
const ADDRESS_LENGTH_MAX = 32_768;

type Check = (value: unknown) => boolean;

const whole =
  (min: number, max: number): Check =>
  (value) =>
    Number.isInteger(value) && Number(value) >= min && Number(value) <= max;

const text =
  (max: number): Check =>
  (value) =>
    typeof value === 'string' && value.length <= max;

const truth: Check = (value) => typeof value === 'boolean';

const widths: Check = (value) =>
  Array.isArray(value) &&
  value.length <= SPAN_MAX &&
  value.every((width) => Number.isFinite(width) && width >= 0 && width <= WIDTH_MAX);

const span = whole(1, SPAN_MAX);
const cell = { colspan: span, rowspan: span, colwidth: widths, align: text(NAME_LENGTH_MAX) };
const name = text(NAME_LENGTH_MAX);

const CHECKS: ReadonlyMap<string, Readonly<Record<string, Check>>> = new Map(
  Object.entries({
    heading: { level: whole(1, LEVEL_MAX) },
    orderedList: { start: whole(-START_MAX, START_MAX), type: name },
    codeBlock: { language: name },
    taskItem: { checked: truth },
    tableCell: cell,
    tableHeader: cell,
    link: {
      href: text(ADDRESS_LENGTH_MAX),
      target: name,
      rel: name,
      class: name,
      title: text(ADDRESS_LENGTH_MAX),
    },
  }),
);

/** Attributes as they are stored. */
export type Values = Readonly<Record<string, unknown>>;

/** Without those that have no value. */
export function given(values: Values): Values {
  const found = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(found);
}

/** Whether a known node or mark of that name can have these values; unknown attributes are no matter. */
export function takes(owner: string, values: Values): boolean {
  const checks = CHECKS.get(owner) ?? {};
  return Object.entries(values).every(
    ([key, value]) => !Object.hasOwn(checks, key) || (checks[key]?.(value) ?? true),
  );
}

/** Whether a table, whose cells have passed, is small enough to be mapped and drawn at once. */
export function isDrawableTable(table: Node): boolean {
  let widest = 1;
  let hanging = 0;
  let cells = 0;
  table.forEach((row) => {
    let width = 0;
    row.forEach((child) => {
      const columns = Number(child.attrs['colspan']);
      width += columns;
      if (Number(child.attrs['rowspan']) > 1) hanging += columns;
    });
    cells += row.childCount;
    widest = Math.max(widest, width);
  });
  // Where cells hang into other rows, each row is measured by looking at all above it.
  const looks = hanging === 0 ? 0 : table.childCount * cells;
  return (widest + hanging) * table.childCount <= TABLE_PLACES_MAX && looks <= TABLE_LOOKS_MAX;
}
