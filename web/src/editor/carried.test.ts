// @vitest-environment jsdom
import { type ProsemirrorBinding, ySyncPluginKey } from '@tiptap/y-tiptap';
import { expect, test, vi } from 'vitest';
import * as Y from 'yjs';
import { writerOn, type Writer } from '../testing/editors';
import { carriedWatch } from './carried';

/** An editor whose binding writes nothing while `fault.isOn`. */
function faultyWriter(): { writer: Writer; said: boolean[]; fault: { isOn: boolean } } {
  const said: boolean[] = [];
  const fault = { isOn: false };
  const writer = writerOn(new Y.Doc(), [carriedWatch((next) => said.push(next))]);
  const { binding }: { binding: ProsemirrorBinding } = ySyncPluginKey.getState(writer.editor.state);
  const write = binding._prosemirrorChanged.bind(binding);
  binding._prosemirrorChanged = (text) => {
    if (!fault.isOn) write(text);
  };
  writer.editor.commands.setContent('<p>start</p>');
  return { writer, said, fault };
}

function type({ editor }: Writer, text: string): void {
  editor.view.dispatch(editor.state.tr.insertText(text, 1));
}

test('what the shared text takes is carried, and nothing is said', () => {
  const { writer, said } = faultyWriter();
  type(writer, 'a');
  writer.editor.view.dispatch(writer.editor.state.tr.setMeta('nothing', true));
  expect(said).toEqual([]);
});

test('letters that no update carries are noticed, and so is the update that carries them', async () => {
  const { writer, said, fault } = faultyWriter();
  fault.isOn = true;
  type(writer, 'a');
  await vi.waitFor(() => expect(said).toEqual([false]));
  type(writer, 'b');
  fault.isOn = false;
  type(writer, 'c');
  expect(said).toEqual([false, true]);
  expect(writer.document.getXmlFragment('default').toString()).toContain('cbastart');
});
