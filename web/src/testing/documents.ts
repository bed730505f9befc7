/** Documents for tests. */
import * as Y from 'yjs';

/** Two replicas that pass on every change at once. */
export function connectedDocuments(): [Y.Doc, Y.Doc] {
  const [a, b] = [new Y.Doc(), new Y.Doc()];
  const pass = (from: Y.Doc, to: Y.Doc) =>
    from.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'passed on') Y.applyUpdate(to, update, 'passed on');
    });
  pass(a, b);
  pass(b, a);
  return [a, b];
}
