/**
 * Makes the editor's nodes of the shared elements. Writes nothing, whatever it meets.
 *
 * The stock binding deletes from the shared text what it cannot make a node of. Here each element
 * becomes a node: a known one where name, values and content fit the schema, otherwise a foreign
 * one, as deep in the text as possible, so that the rest stays editable. What this cannot draw at
 * all the guard has to keep out.
 */
import { Fragment, type Mark, type Node, type NodeType, type Schema } from '@tiptap/pm/model';
import * as Y from 'yjs';
import { isDoubled } from './doubledTexts';
import { ForeignTypes, type Shape } from './foreignTypes';
import { given, isDrawableTable, takes, type Values } from './values';

/** Which node stands for which shared element. */
export type Mapping = Map<object, Node | Node[]>;

/** Marks that may overlap themselves are stored as their name, two dashes and a hash. */
const HASHED_MARK = /^(.*)--[a-zA-Z0-9+/=]{8}$/;

/** An element or a text, and what was made of it. */
interface Drawn {
  readonly element: Y.XmlElement | null;
  readonly nodes: readonly Node[];
}

/** Draws for one schema. */
export class Drawing {
  readonly #schema: Schema;
  readonly #foreign: ForeignTypes;
  readonly #mapping: Mapping;
  /** Lines that consist of several texts. */
  readonly doubled = new Set<Y.XmlElement>();

  constructor(schema: Schema, mapping: Mapping) {
    this.#schema = schema;
    this.#foreign = ForeignTypes.of(schema);
    this.#mapping = mapping;
  }

  /** The blocks of the text, each entered into the mapping. */
  blocks(text: Y.XmlFragment): Node[] {
    this.doubled.clear();
    const drawn = this.#children(text);
    const fitting = drawn.map((child) => this.#fit(this.#schema.topNodeType, child));
    return fitting.flatMap((child) => (child === null ? [] : child.nodes));
  }

  #children(parent: Y.XmlFragment): Drawn[] {
    return (parent.toArray() as unknown[]).map((child) => {
      if (child instanceof Y.XmlElement) return this.#enter(child, this.#element(child));
      if (child instanceof Y.XmlText) return { element: null, nodes: this.#text(child) };
      throw new Error('the guard lets only elements and texts through');
    });
  }

  #enter(element: Y.XmlElement, node: Node): Drawn {
    this.#mapping.set(element, node);
    if (node.isTextblock && isDoubled(element)) this.doubled.add(element);
    return { element, nodes: [node] };
  }

  #element(element: Y.XmlElement): Node {
    return this.#known(element) ?? this.#foreignNode(element, 'block');
  }

  #known(element: Y.XmlElement): Node | null {
    const type = this.#schema.nodes[element.nodeName];
    const values = given(element.getAttributes());
    if (type === undefined || type.isText || this.#foreign.isBase(type)) return null;
    if (!takes(type.name, values)) return null;
    const content = this.#content(type, this.#children(element));
    if (content === null) return null;
    this.#foreign.keep(type, Object.keys(values));
    const node = type.create(values, content);
    return type.name === 'table' && !isDrawableTable(node) ? null : node;
  }

  /** The children as content of that type, with those that do not fit made foreign; `null` if that does not help. */
  #content(type: NodeType, children: readonly Drawn[]): Fragment | null {
    const direct = Fragment.from(children.flatMap(({ nodes }) => nodes));
    if (type.validContent(direct)) return direct;
    let match = type.contentMatch;
    const found: Node[] = [];
    for (const child of children) {
      const fitting = this.#fitAt(type, match, child);
      if (fitting === null) return null;
      found.push(...fitting.nodes);
      match = match.matchFragment(Fragment.from([...fitting.nodes])) ?? match;
    }
    return match.validEnd ? Fragment.from(found) : null;
  }

  #fit(type: NodeType, child: Drawn): Drawn | null {
    return this.#fitAt(type, type.contentMatch, child);
  }

  #fitAt(type: NodeType, match: NodeType['contentMatch'], child: Drawn): Drawn | null {
    const fits = (nodes: readonly Node[]) =>
      match.matchFragment(Fragment.from([...nodes])) !== null &&
      nodes.every((node) => type.allowsMarks(node.marks));
    if (fits(child.nodes)) return child;
    if (child.element === null) return null;
    const node = this.#foreignNode(child.element, type.inlineContent ? 'inline' : 'block');
    return fits([node]) ? this.#enter(child.element, node) : null;
  }

  /** With everything below it foreign as well, so that no command finds a line to change in it. */
  #foreignNode(element: Y.XmlElement, shape: Shape): Node {
    const nodes = (element.toArray() as unknown[]).flatMap((child) => {
      if (child instanceof Y.XmlText) return this.#text(child);
      if (!(child instanceof Y.XmlElement)) throw new Error('the guard lets only elements through');
      const node = this.#foreignNode(child, 'block');
      this.#mapping.set(child, node);
      return [node];
    });
    const type = this.#foreign.node(element.nodeName, shape);
    return type.create(given(element.getAttributes()), Fragment.from(nodes));
  }

  #text(text: Y.XmlText): Node[] {
    const runs = text.toDelta() as { insert: unknown; attributes?: Record<string, unknown> }[];
    return runs.map(({ insert, attributes }) => {
      if (typeof insert !== 'string') throw new Error('the guard lets no objects into a text');
      const marks = Object.entries(attributes ?? {}).map(([key, value]) => this.#mark(key, value));
      return this.#schema.text(insert, marks);
    });
  }

  #mark(key: string, value: unknown): Mark {
    const type = this.#schema.marks[HASHED_MARK.exec(key)?.[1] ?? key];
    const foreign = () => this.#foreign.mark(key).create(value as Values);
    if (type === undefined || this.#foreign.isBase(type) || !isPlain(value)) return foreign();
    const values = given(value);
    if (!takes(type.name, values)) return foreign();
    this.#foreign.keep(type, Object.keys(values));
    return type.create(values);
  }
}

function isPlain(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
