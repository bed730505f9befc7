/**
 * Binds a text area to a note's title. What others write is put into it around the person's caret
 * and selection; what the person does to it is taken over as what it was, not guessed afterwards.
 *
 * A composition (Chinese, Japanese, Korean, accents, most telephone keyboards) ends when a script
 * changes the field. So the field is held while one is open, and shows afterwards what others wrote.
 */
import { changeOf, type Change, type FieldText } from './fieldText';
import { fitting, onOneLine, type TitleText } from './titleText';

/** What the page does when the field cannot. */
export interface TitleActions {
  /** The title has no room for what was typed (`true`), or it was typed into and had (`false`). */
  readonly onFull: (isFull: boolean) => void;
  /** Enter and arrow down go on into the text. */
  readonly onLeave: () => void;
}

/** Binds the field until the returned function is called. */
export function bindTitle(
  field: HTMLTextAreaElement,
  title: TitleText,
  actions: TitleActions,
): () => void {
  const binding = new TitleBinding(field, title, actions);
  return () => binding.dispose();
}

class TitleBinding {
  readonly #field: HTMLTextAreaElement;
  readonly #title: TitleText;
  readonly #actions: TitleActions;
  readonly #letters: FieldText;
  readonly #ending = new AbortController();
  #isComposing = false;

  constructor(field: HTMLTextAreaElement, title: TitleText, actions: TitleActions) {
    this.#field = field;
    this.#title = title;
    this.#actions = actions;
    this.#letters = title.inField((changes, isUndo) => this.#show(changes, isUndo));
    field.value = this.#letters.shown;
    const { signal } = this.#ending;
    field.addEventListener('input', () => this.#take(), { signal });
    field.addEventListener('beforeinput', (event) => this.#before(event), { signal });
    field.addEventListener('keydown', (event) => this.#key(event), { signal });
    field.addEventListener('compositionstart', () => this.#composed(true), { signal });
    field.addEventListener('compositionend', () => this.#composed(false), { signal });
    // A composition that the browser drops without a word must not hold the field for ever.
    field.addEventListener('blur', () => this.#composed(false), { signal });
  }

  dispose(): void {
    this.#ending.abort();
    this.#letters.dispose();
  }

  /** `setRangeText` moves selection and caret along, as far as they stand behind the change. */
  #show(changes: readonly Change[], isUndo: boolean): void {
    for (const { at, removed, inserted } of changes) {
      this.#field.setRangeText(inserted, at, at + removed, isUndo ? 'end' : 'preserve');
    }
  }

  #composed(isOpen: boolean): void {
    if (this.#isComposing === isOpen) return;
    if (isOpen) {
      this.#title.beginStep();
      this.#letters.hold();
    } else {
      this.#take();
      this.#letters.release();
    }
    this.#isComposing = isOpen;
  }

  /** Takes what the field has over into the title, and out of the field what the title cannot have. */
  #take(): void {
    const field = this.#field;
    const { at, removed, inserted } = changeOf(
      this.#letters.shown,
      field.value,
      field.selectionEnd,
    );
    // What is being composed is taken as it is: it may be a few letters over the limit.
    const line = this.#isComposing ? inserted : onOneLine(inserted);
    const besides = field.value.length - inserted.length;
    const taken = this.#isComposing ? line : fitting(line, besides);
    this.#letters.type({ at, removed, inserted: taken });
    if (taken !== inserted) field.setRangeText(taken, at, at + inserted.length, 'end');
    if (removed > 0 || inserted !== '') this.#actions.onFull(taken.length < line.length);
  }

  /** The browser's own undo knows nothing of what others typed. */
  #before(event: InputEvent): void {
    if (event.inputType === 'historyUndo') this.#title.undo();
    else if (event.inputType === 'historyRedo') this.#title.redo();
    else if (/^insert(LineBreak|Paragraph)$/.test(event.inputType)) this.#actions.onLeave();
    else return;
    event.preventDefault();
  }

  #key(event: KeyboardEvent): void {
    const mod = event.metaKey || event.ctrlKey;
    const key = event.key.toLowerCase();
    const isAtEnd = this.#field.selectionStart === this.#field.value.length;
    if (event.isComposing) return;
    if (event.key === 'Enter' || (event.key === 'ArrowDown' && isAtEnd)) this.#actions.onLeave();
    else if (mod && key === 'z' && !event.shiftKey) this.#title.undo();
    else if (mod && (key === 'y' || (key === 'z' && event.shiftKey))) this.#title.redo();
    else return;
    event.preventDefault();
  }
}
