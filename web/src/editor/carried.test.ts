// @vitest-environment jsdom
import { Extension } from '@tiptap/core';
import { Plugin } from '@tiptap/pm/state';
import { expect, test, vi } from 'vitest';
import * as Y from 'yjs';
import { writerOn, type Writer } from '../testing/editors';
import { carriedWatch } from './carried';

/** An editor whose binding fails while `fault.isOn`. */
function faultyWriter(): { writer: Writer; said: boolean[]; fault: { isOn: boolean } } {
  const said: boolean[] = [];
  const fault = { isOn: false };
  const faulty = Extension.create({
    name: 'faulty',
    priority: 2000,
    addProseMirrorPlugins: () => [
      new Plugin({
        view: () => ({
          update: () => {
            if (fault.isOn) throw new Error('a fault in some plugin');
          },
        }),
      }),
    ],
  });
  const writer = writerOn(new Y.Doc(), [faulty, carriedWatch((next) => said.push(next))]);
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
  expect(() => type(writer, 'a')).toThrow('fault');
  await vi.waitFor(() => expect(said).toEqual([false]));
  expect(() => type(writer, 'b')).toThrow('fault');
  fault.isOn = false;
  type(writer, 'c');
  expect(said).toEqual([false, true]);
  expect(writer.document.getXmlFragment('default').toString()).toContain('cbastart');
});
