import 'fake-indexeddb/auto';
import { beforeEach, expect, test, vi } from 'vitest';
import { IDBFactory } from 'fake-indexeddb';
import * as Y from 'yjs';
import { DeviceCopy, type DeviceState } from './deviceCopy';
import { deleteDeviceStorage, openDeviceStorage, settled, UPDATES } from './deviceStorage';

interface Opened {
  readonly document: Y.Doc;
  readonly states: DeviceState[];
  readonly copy: DeviceCopy | null;
}

async function open(id = 'a'): Promise<Opened> {
  const document = new Y.Doc();
  const states: DeviceState[] = [];
  const copy = await DeviceCopy.attach(id, document, (state) => states.push(state));
  return { document, states, copy };
}

const kept = (opened: Opened) => vi.waitUntil(() => opened.states.at(-1) === 'kept');
const write = (opened: Opened, text: string) => opened.document.getText('t').insert(0, text);
const read = (opened: Opened) => opened.document.getText('t').toString();

async function rowCount(id = 'a'): Promise<number> {
  const database = await openDeviceStorage(id);
  const count = await settled(database.transaction(UPDATES).objectStore(UPDATES).count());
  database.close();
  return count;
}

beforeEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  vi.stubGlobal('indexedDB', new IDBFactory());
});

test('what was kept is there after the tab is closed', async () => {
  const first = await open();
  write(first, 'hello');
  expect(first.states.at(-1)).toBe('keeping');
  await kept(first);
  first.copy?.dispose();
  expect(read(await open())).toBe('hello');
});

test('loading writes nothing back', async () => {
  const first = await open();
  write(first, 'hello');
  await kept(first);
  await open();
  expect(await rowCount()).toBe(1);
});

test('two tabs keep both what they wrote', async () => {
  const [first, second] = [await open(), await open()];
  write(first, 'one ');
  write(second, 'two ');
  await Promise.all([kept(first), kept(second)]);
  expect([...read(await open()).split(' ')].sort()).toEqual(['', 'one', 'two']);
});

test('many rows are folded into one when the note is opened', async () => {
  const first = await open();
  for (let count = 0; count < 80; count += 1) write(first, 'x');
  await kept(first);
  first.copy?.dispose();
  const second = await open();
  expect(read(second)).toBe('x'.repeat(80));
  await vi.waitUntil(async () => (await rowCount()) === 1);
  expect(read(await open())).toBe('x'.repeat(80));
});

test('failed write is told, and the next one carries what it missed', async () => {
  const first = await open();
  const add = vi.spyOn(IDBObjectStore.prototype, 'add').mockImplementationOnce(function (
    this: IDBObjectStore,
  ) {
    this.transaction.abort();
    throw new DOMException('no room', 'QuotaExceededError');
  });
  write(first, 'lost? ');
  await vi.waitUntil(() => first.states.at(-1) === 'failed');
  add.mockRestore();
  write(first, 'never ');
  await kept(first);
  expect(read(await open())).toBe('never lost? ');
});

test('browser without storage is told', async () => {
  vi.stubGlobal('indexedDB', {
    open: () => {
      throw new DOMException('denied', 'SecurityError');
    },
  });
  const opened = await open();
  expect(opened.copy).toBeNull();
  expect(opened.states).toEqual(['blocked']);
});

test('deleting the copy takes it from an open tab, which says so', async () => {
  const first = await open();
  write(first, 'hello');
  await kept(first);
  await deleteDeviceStorage('a');
  write(first, 'more');
  await vi.waitUntil(() => first.states.at(-1) === 'failed');
  expect(read(await open())).toBe('');
});
