import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { Gate, TEXT_NAME, type Guard } from './gate';

/** Finds elements named `callout`. */
const guard: Guard = {
  all: calloutsIn,
  touched: (text) => calloutsIn(text),
};

function calloutsIn(text: Y.XmlFragment): string[] {
  return text.toString().includes('<callout>') ? ['callout'] : [];
}

interface Setup {
  readonly gate: Gate;
  readonly told: (readonly string[])[];
  readonly world: Y.Doc;
  readonly sent: Uint8Array[];
  readonly faults: unknown[];
}

/** A gate whose outer replica is connected to a world, as by a provider. */
function setup(): Setup {
  const told: (readonly string[])[] = [];
  const sent: Uint8Array[] = [];
  const faults: unknown[] = [];
  const gate = new Gate(
    guard,
    (names) => told.push(names),
    (error) => faults.push(error),
  );
  const world = new Y.Doc();
  world.on('update', (update: Uint8Array, origin: unknown) => {
    if (origin !== 'from page') Y.applyUpdate(gate.outer, update, 'provider');
  });
  gate.outer.on('update', (update: Uint8Array, origin: unknown) => {
    if (origin === 'provider') return;
    sent.push(update);
    Y.applyUpdate(world, update, 'from page');
  });
  return { gate, told, world, sent, faults };
}

function add(document: Y.Doc, name: string): void {
  const text = document.getXmlFragment(TEXT_NAME);
  text.insert(text.length, [new Y.XmlElement(name)]);
}

const textOf = (document: Y.Doc) => document.getXmlFragment(TEXT_NAME).toString();

test('nothing reaches the editor before the gate is opened', () => {
  const { gate, world } = setup();
  add(world, 'paragraph');
  expect(textOf(gate.inner)).toBe('');
  gate.open();
  expect(textOf(gate.inner)).toBe('<paragraph></paragraph>');
});

test('known changes go both ways, each once', () => {
  const { gate, world, sent } = setup();
  gate.open();
  add(world, 'paragraph');
  expect(textOf(gate.inner)).toBe('<paragraph></paragraph>');
  expect(sent).toHaveLength(0);
  add(gate.inner, 'heading');
  expect(textOf(world)).toBe('<paragraph></paragraph><heading></heading>');
  expect(sent).toHaveLength(1);
});

test('foreign change shuts the gate and stays out of the editor', () => {
  const { gate, told, world } = setup();
  gate.open();
  add(world, 'callout');
  add(world, 'paragraph');
  expect(gate.isOpen).toBe(false);
  expect(textOf(gate.inner)).toBe('');
  expect(textOf(gate.outer)).toBe('<callout></callout><paragraph></paragraph>');
  expect(told.at(-1)).toEqual(['callout']);
});

test('gate that was never open opens when the foreign content is gone', () => {
  const { gate, told, world } = setup();
  add(world, 'callout');
  gate.open();
  expect(gate.isOpen).toBe(false);
  world.getXmlFragment(TEXT_NAME).delete(0, 1);
  expect(gate.isOpen).toBe(true);
  expect(told.at(-1)).toEqual([]);
});

test('reopened gate brings what the editor missed', () => {
  const { gate, world } = setup();
  gate.open();
  add(world, 'callout');
  add(world, 'paragraph');
  world.getXmlFragment(TEXT_NAME).delete(0, 1);
  expect(textOf(gate.inner)).toBe('<paragraph></paragraph>');
});

test('what was typed while the gate is shut reaches the world', () => {
  const { gate, world } = setup();
  gate.open();
  add(world, 'callout');
  add(gate.inner, 'paragraph');
  expect(textOf(world)).toContain('<paragraph></paragraph>');
});

test('error at a change shuts the gate for good, and nothing is lost', () => {
  const { gate, told, world, faults } = setup();
  gate.open();
  const toldBefore = told.length;
  const error = new Error('the view cannot draw it');
  gate.inner.getXmlFragment(TEXT_NAME).observeDeep((_events, transaction) => {
    if (!transaction.local) throw error;
  });
  add(world, 'paragraph');
  expect(faults).toEqual([error]);
  expect(gate.isOpen).toBe(false);
  add(world, 'heading');
  expect(gate.isOpen).toBe(false);
  expect(textOf(gate.outer)).toBe('<paragraph></paragraph><heading></heading>');
  expect(told).toHaveLength(toldBefore);
  gate.inner.getText('title').insert(0, 'typed after the error');
  expect(world.getText('title').toString()).toBe('typed after the error');
});

test('both replicas keep one client id through edits', () => {
  const { gate, world } = setup();
  gate.open();
  const { clientID } = gate.inner;
  add(gate.inner, 'paragraph');
  add(world, 'paragraph');
  add(gate.inner, 'paragraph');
  expect(gate.inner.clientID).toBe(clientID);
  expect(gate.outer.clientID).toBe(clientID);
  expect([...Y.decodeStateVector(Y.encodeStateVector(world)).keys()].sort()).toEqual(
    [clientID, world.clientID].sort(),
  );
});

test('held gate lets nothing in and everything out, and brings what was missed when it is released', () => {
  const { gate, world } = setup();
  gate.open();
  gate.hold();
  add(world, 'paragraph');
  add(gate.inner, 'heading');
  expect(textOf(gate.inner)).toBe('<heading></heading>');
  expect(textOf(world)).toContain('<heading></heading>');
  gate.release();
  expect(textOf(gate.inner)).toBe(textOf(world));
});

test('who waits for changes from outside hears of each before it is in, and of no other', () => {
  const { gate, world } = setup();
  gate.open();
  const heard: string[] = [];
  const stop = gate.onComing(() => heard.push(textOf(gate.inner)));
  add(world, 'paragraph');
  add(gate.inner, 'heading');
  gate.hold();
  add(world, 'paragraph');
  gate.release();
  expect(heard).toEqual(['', '<paragraph></paragraph><heading></heading>']);
  stop();
  add(world, 'paragraph');
  expect(heard).toHaveLength(2);
});

test('foreign change that came while the gate was held stays out when it is released', () => {
  const { gate, told, world } = setup();
  gate.open();
  gate.hold();
  add(world, 'callout');
  gate.release();
  expect(gate.isOpen).toBe(false);
  expect(textOf(gate.inner)).toBe('');
  expect(told.at(-1)).toEqual(['callout']);
});
