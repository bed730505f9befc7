// @vitest-environment jsdom
/** What undoes a change is loaded late, and an undo that was asked for before waits for it. */
import { expect, test, vi } from 'vitest';
import * as Y from 'yjs';
import { linesOf, writerOn } from '../testing/editors';
import * as loading from './undoLoading';

vi.mock('./undoLoading', { spy: true });

test('undo that comes too early is done as soon as it can be', async () => {
  const { editor, document } = writerOn(new Y.Doc());
  editor.commands.setContent('<p>typed</p>');
  vi.mocked(loading.loadedReversal).mockReturnValueOnce(null);
  editor.commands.undo();
  expect(linesOf({ editor, document })).toEqual(['typed']);
  await vi.waitFor(() => expect(linesOf({ editor, document })).toEqual(['']));
});

test('undo that cannot be loaded changes nothing and is told', async () => {
  const onUndoMissing = vi.fn();
  const { editor, document } = writerOn(new Y.Doc(), [], { onUndoMissing });
  editor.commands.setContent('<p>typed</p>');
  vi.mocked(loading.loadedReversal).mockReturnValueOnce(null);
  vi.mocked(loading.loadReversal).mockRejectedValueOnce(new Error('no network'));
  editor.commands.undo();
  await vi.waitFor(() => expect(onUndoMissing).toHaveBeenCalledOnce());
  expect(linesOf({ editor, document })).toEqual(['typed']);
});
