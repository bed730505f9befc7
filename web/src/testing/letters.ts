/** The letters of a shared text by who wrote them, for tests that ask which of them an edit kept. */
import * as Y from 'yjs';
import { TEXT_NAME } from '../net/gate';

/** A letter that is in the text now, and the shared line it stands in. */
export interface Letter {
  readonly letter: string;
  readonly line: unknown;
}

/** The letters of a document by the id that they got when they were typed. */
export function lettersOf(document: Y.Doc): ReadonlyMap<string, Letter> {
  const letters = new Map<string, Letter>();
  const walk = (parent: Pick<Y.XmlFragment, '_start'>): void => {
    for (let item = parent._start; item !== null; item = item.right) {
      if (item.deleted) continue;
      const { content, id } = item;
      if (content instanceof Y.ContentType) walk(content.type as Y.XmlFragment);
      if (!(content instanceof Y.ContentString)) continue;
      for (let index = 0; index < content.str.length; index += 1) {
        const letter = content.str.charAt(index);
        letters.set(`${id.client}:${id.clock + index}`, { letter, line: parent });
      }
    }
  };
  walk(document.getXmlFragment(TEXT_NAME));
  return letters;
}

/** The lines of which `after` misses letters that `before` has. */
export function replacedLines(
  before: ReadonlyMap<string, Letter>,
  after: ReadonlyMap<string, Letter>,
): string[] {
  const lines = new Map<unknown, { text: string; isWhole: boolean }>();
  for (const [id, { letter, line }] of before) {
    const { text, isWhole } = lines.get(line) ?? { text: '', isWhole: true };
    const stays = after.get(id)?.line === line;
    lines.set(line, { text: text + letter, isWhole: isWhole && stays });
  }
  return [...lines.values()].filter(({ isWhole }) => !isWhole).map(({ text }) => text);
}
