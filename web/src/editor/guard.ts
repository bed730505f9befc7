/**
 * Finds what the editor's schema would not keep, before the editor sees it.
 *
 * The binding turns each shared element into an editor node; what it cannot turn it deletes from
 * the shared document, with all the text in it. This module walks the same path without touching
 * anything. Foreign are: unknown elements and marks, unknown attributes that hold a value (the
 * binding drops them at the next edit), embedded objects, and known elements in an arrangement
 * that the schema does not allow. One exception: a misfit without any text, such as a list whose
 * last two items two people deleted at the same time. Its removal is the binding's normal repair
 * and loses nothing.
 */
import type { Node as TextNode, NodeType, Schema } from '@tiptap/pm/model';
import * as Y from 'yjs';
import type { Guard } from '../net/gate';

/** The binding's own name for its history colouring; never stored by it as a mark. */
const BINDING_MARK = 'ychange';
/** Marks that may overlap themselves are stored as their name, two dashes and a hash. */
const HASHED_MARK = /^(.*)--[a-zA-Z0-9+/=]{8}$/;

/** The guard for a schema. */
export function createGuard(schema: Schema): Guard {
  return {
    all: (text) => inspect(schema, [text]),
    touched: (text, transaction) => inspect(schema, owners(text, transaction)),
  };
}

/** The elements whose own content changed: a text counts as a change of its element. */
function owners(text: Y.XmlFragment, transaction: Y.Transaction): ReadonlySet<unknown> {
  const found = new Set<unknown>();
  for (const type of transaction.changed.keys()) {
    const owner = type instanceof Y.XmlText ? type.parent : type;
    if (owner !== null && isPartOf(owner, text)) found.add(owner);
  }
  return found;
}

function isPartOf(type: unknown, text: Y.XmlFragment): boolean {
  let current: unknown = type;
  while (current instanceof Y.AbstractType) {
    if (current === text) return true;
    if (current._item === null || current._item.deleted) return false;
    current = current.parent;
  }
  return false;
}

function inspect(schema: Schema, parts: Iterable<unknown>): readonly string[] {
  const walk = new Walk(schema);
  for (const part of parts) walk.part(part);
  return [...walk.foreign].sort();
}

/** One walk over some elements, collecting names. */
class Walk {
  readonly foreign = new Set<string>();
  readonly #schema: Schema;

  constructor(schema: Schema) {
    this.#schema = schema;
  }

  part(part: unknown): void {
    // An element is a fragment too, for Yjs: ask for the narrower one first.
    if (part instanceof Y.XmlElement) this.#element(part);
    else if (part instanceof Y.XmlFragment) this.#root(part);
    else this.foreign.add('unknown');
  }

  #root(text: Y.XmlFragment): void {
    const children: TextNode[] = [];
    for (const child of text.toArray() as unknown[]) {
      if (child instanceof Y.XmlElement) children.push(...this.#element(child));
      else this.foreign.add('text');
    }
    const type = this.#schema.topNodeType;
    for (const child of children) {
      if (type.contentMatch.matchType(child.type) === null) this.foreign.add(child.type.name);
    }
  }

  /** The node that the binding would make: one, or none when it would be removed without loss. */
  #element(element: Y.XmlElement): TextNode[] {
    const type = this.#schema.nodes[element.nodeName];
    if (type === undefined) {
      this.foreign.add(element.nodeName);
      return [];
    }
    const attributes: Record<string, unknown> = element.getAttributes();
    this.#attributes(element.nodeName, type.spec.attrs, attributes);
    const children = (element.toArray() as unknown[]).flatMap((child) => this.#child(child));
    return this.#assemble(type, attributes, children);
  }

  #child(child: unknown): TextNode[] {
    if (child instanceof Y.XmlElement) return this.#element(child);
    if (child instanceof Y.XmlText) return this.#text(child);
    this.foreign.add('unknown');
    return [];
  }

  #assemble(type: NodeType, attributes: Record<string, unknown>, children: TextNode[]): TextNode[] {
    try {
      return [type.createChecked(attributes, children)];
    } catch {
      if (children.some((child) => child.isText || child.textContent !== '')) {
        this.foreign.add(type.name);
      }
      return [];
    }
  }

  #text(text: Y.XmlText): TextNode[] {
    const nodes: TextNode[] = [];
    for (const run of text.toDelta() as {
      insert: unknown;
      attributes?: Record<string, unknown>;
    }[]) {
      if (typeof run.insert !== 'string') {
        this.foreign.add('embed');
        continue;
      }
      const marks = Object.entries(run.attributes ?? {}).flatMap(([name, value]) =>
        this.#mark(name, value),
      );
      nodes.push(this.#schema.text(run.insert, marks));
    }
    return nodes;
  }

  #mark(storedName: string, value: unknown) {
    const name = HASHED_MARK.exec(storedName)?.[1] ?? storedName;
    if (name === BINDING_MARK) return [];
    const type = this.#schema.marks[name];
    if (type === undefined) {
      this.foreign.add(name);
      return [];
    }
    const attributes = typeof value === 'object' && value !== null ? { ...value } : {};
    this.#attributes(name, type.spec.attrs, attributes);
    return [type.create(attributes)];
  }

  #attributes(
    owner: string,
    known: Record<string, unknown> | undefined,
    stored: Record<string, unknown>,
  ): void {
    for (const [name, value] of Object.entries(stored)) {
      const isKnown = name === BINDING_MARK || (known !== undefined && name in known);
      if (!isKnown && value !== null && value !== undefined) this.foreign.add(`${owner}.${name}`);
    }
  }
}
