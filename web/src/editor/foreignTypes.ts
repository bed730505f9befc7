/**
 * Node and mark types for what the editor does not know, made while it runs.
 *
 * A foreign element becomes a node whose type has the element's own name and takes any attributes
 * and any content, so that the binding finds it equal to the shared element and leaves it alone. It
 * is an atom: nothing in it can be edited, but it can be selected, moved and deleted as a whole.
 *
 * ProseMirror fixes its types when a schema is made. The two node types and the mark type of this
 * file are in the schema from the start; a type for a new name inherits from one of them and is
 * added to the places where that one may stand. `foreign.test.ts` holds what this asks of
 * ProseMirror's inner parts.
 */
import { Mark, Node } from '@tiptap/core';
import {
  Mark as TextMark,
  type DOMOutputSpec,
  type MarkType,
  type Node as TextNode,
  type NodeType,
  type Schema,
} from '@tiptap/pm/model';
import { AnyContent, openTo } from './foreignContent';
import { elementOfMark, elementOfNode } from './foreignView';
import type { Values } from './values';

const BLOCK = 'foreignBlock';
const INLINE = 'foreignInline';
const MARK = 'foreignMark';
/** More foreign marks than this in one note have no order among them. */
const RANKS = 1_000_000;

/** Where a foreign element stands. */
export type Shape = 'block' | 'inline';

const shared = {
  atom: true,
  isolating: true,
  selectable: true,
  content: `${BLOCK}*`,
  renderHTML: (): DOMOutputSpec => ['div'],
} as const;

/** The types that all foreign types inherit from. */
export const foreignExtensions = [
  Node.create({ name: BLOCK, group: 'block', ...shared }),
  Node.create({ name: INLINE, group: 'inline', inline: true, ...shared }),
  Mark.create({ name: MARK, renderHTML: (): DOMOutputSpec => ['span'] }),
];

/** Whether this page only shows the node. */
export function isForeign(node: TextNode): boolean {
  return node.type.contentMatch instanceof AnyContent;
}

const known = new WeakMap<Schema, ForeignTypes>();

/** The foreign types of one schema. */
export class ForeignTypes {
  readonly #schema: Schema;
  readonly #nodes = { block: new Map<string, NodeType>(), inline: new Map<string, NodeType>() };
  readonly #marks = new Map<string, MarkType>();
  readonly #kept = new Map<NodeType | MarkType, Set<string>>();
  readonly #content = new AnyContent();
  readonly #listeners = new Set<(name: string) => void>();

  private constructor(schema: Schema) {
    this.#schema = schema;
    for (const type of [typeIn(schema, BLOCK), typeIn(schema, INLINE)]) {
      // So that no command makes or wraps with one by itself.
      Object.assign(type, { hasRequiredAttrs: () => true });
    }
  }

  /** Those of a schema. */
  static of(schema: Schema): ForeignTypes {
    const found = known.get(schema) ?? new ForeignTypes(schema);
    known.set(schema, found);
    return found;
  }

  /** Whether it is one of those that foreign types inherit from, which stand in no text. */
  isBase(type: NodeType | MarkType): boolean {
    return [BLOCK, INLINE, MARK].includes(type.name);
  }

  /** Whether there was a foreign element yet. */
  get isUsed(): boolean {
    return this.#nodes.block.size + this.#nodes.inline.size > 0;
  }

  /** Tells names of elements that are new; returns how to stop. */
  onName(listener: (name: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The type for foreign elements of that name. */
  node(name: string, shape: Shape): NodeType {
    const types = this.#nodes[shape];
    const type = types.get(name) ?? this.#makeNode(name, shape);
    types.set(name, type);
    return type;
  }

  /** The type for foreign marks that are stored under that key. */
  mark(key: string): MarkType {
    const type = this.#marks.get(key) ?? this.#makeMark(key);
    this.#marks.set(key, type);
    return type;
  }

  /** Lets a known type carry attributes that its schema lacks, once they were seen on it. */
  keep(type: NodeType | MarkType, names: readonly string[]): void {
    const fresh = names.filter(
      (name) => type.spec.attrs === undefined || !(name in type.spec.attrs),
    );
    if (fresh.length === 0) return;
    const kept = this.#kept.get(type) ?? this.#open(type);
    for (const name of fresh) kept.add(name);
  }

  #open(type: NodeType | MarkType): Set<string> {
    const kept = new Set<string>();
    this.#kept.set(type, kept);
    const withKept = (values: Values | null, made: Values): Values => {
      const extra = Object.entries(values ?? {}).filter(([name]) => kept.has(name));
      return extra.length === 0 ? made : { ...made, ...Object.fromEntries(extra) };
    };
    const make = 'isInGroup' in type ? 'computeAttrs' : 'create';
    const original = (type as unknown as Record<typeof make, (values: Values | null) => unknown>)[
      make
    ].bind(type);
    const changed = (values: Values | null): unknown => {
      const made = original(values);
      if (!(made instanceof TextMark)) return withKept(values, made as Values);
      const attrs = withKept(values, made.attrs);
      return attrs === made.attrs ? made : markOf(made.type, attrs);
    };
    Object.assign(type, { [make]: changed });
    return kept;
  }

  #makeNode(name: string, shape: Shape): NodeType {
    const base = typeIn(this.#schema, shape === 'block' ? BLOCK : INLINE);
    const type = Object.create(base) as NodeType;
    Object.assign(type, {
      name,
      // Not the one that Tiptap made: it draws known attributes by the name, whatever their values.
      spec: { ...base.spec, toDOM: elementOfNode },
      contentMatch: this.#content,
      inlineContent: false,
      markSet: [],
      computeAttrs: (values: object | null) => values ?? {},
    });
    openTo(this.#schema, base, type);
    for (const tell of this.#listeners) tell(name);
    return type;
  }

  #makeMark(key: string): MarkType {
    const base = this.#schema.marks[MARK];
    if (base === undefined) throw new Error('the schema has a type for foreign marks');
    const type = Object.create(base) as MarkType;
    return Object.assign(type, {
      name: key,
      spec: { ...base.spec, toDOM: (mark: TextMark) => elementOfMark(key, mark.attrs) },
      // Marks stand in the order of their ranks; two of one rank would have none.
      rank: (base as unknown as { rank: number }).rank + this.#marks.size / RANKS,
      excluded: [type],
      instance: null,
      create: (attrs: unknown) => markOf(type, attrs),
    });
  }
}

/** A mark with just these attributes, whatever its type says. */
function markOf(type: MarkType, attrs: unknown): TextMark {
  return Object.assign(Object.create(TextMark.prototype) as TextMark, { type, attrs });
}

function typeIn(schema: Schema, name: string): NodeType {
  const type = schema.nodes[name];
  if (type === undefined) throw new Error(`the schema has the type ${name}`);
  return type;
}
