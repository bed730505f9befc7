/**
 * What stands for what, for the stock binding.
 *
 * The stock binding clears its mapping before each drawing, and makes nodes only for what is not
 * in it. This one is full as soon as it is cleared, so the binding makes none, and deletes nothing
 * that it could not make.
 */
import type { Node, Schema } from '@tiptap/pm/model';
import type * as Y from 'yjs';
import { Drawing } from './draw';

/** A mapping that draws the text anew whenever it is cleared. */
export class DrawnMapping extends Map<object, Node | Node[]> {
  readonly #text: Y.XmlFragment;
  readonly #onError: (error: unknown) => void;
  #drawing: Drawing | null = null;

  constructor(text: Y.XmlFragment, onError: (error: unknown) => void) {
    super();
    this.#text = text;
    this.#onError = onError;
  }

  /** Says with which schema to draw. */
  begin(schema: Schema): void {
    this.#drawing = new Drawing(schema, this);
  }

  /** Lines that consist of several texts. */
  get doubled(): ReadonlySet<Y.XmlElement> {
    return this.#drawing?.doubled ?? new Set();
  }

  override clear(): void {
    this.draw();
  }

  /** Draws all of the text; its blocks. */
  draw(): Node[] {
    super.clear();
    try {
      return this.#drawing?.blocks(this.#text) ?? [];
    } catch (error) {
      this.#onError(error);
      // With an empty mapping, the stock binding would make the nodes itself, and delete.
      throw error;
    }
  }
}
