import { afterEach, expect, test, vi } from 'vitest';
import { dismissRescued, fetchRescued, restoreRescued, tellsOfRescued } from './rescued';

/** The server's next answer; returns what it was asked. */
function answerWith(status: number, body?: unknown) {
  const text = body === undefined ? null : JSON.stringify(body);
  const fetched = vi.fn<(path: string, request: RequestInit) => Promise<Response>>();
  fetched.mockImplementation(() => Promise.resolve(new Response(text, { status })));
  vi.stubGlobal('fetch', fetched);
  return fetched;
}

afterEach(() => vi.unstubAllGlobals());

test('list is read, oldest first, and what has no text or no id is left out', async () => {
  answerWith(200, {
    rescued: [
      { id: 'b', at_ms: 20, connection: 7, text: 'later', reason: 'deleted' },
      { id: 'a', at_ms: 10, author: 'Ann', text: 'earlier', reason: 'deleted' },
      { id: 'c', at_ms: 30, author: 'Ann', text: '' },
      { at_ms: 40, text: 'nameless' },
      null,
    ],
  });
  expect(await fetchRescued('plan', null)).toEqual({
    kind: 'ok',
    value: [
      { id: 'a', atMs: 10, author: 'Ann', text: 'earlier' },
      { id: 'b', atMs: 20, author: null, text: 'later' },
    ],
  });
});

test('token goes into the header, and no header without one', async () => {
  const fetched = answerWith(200, { rescued: [] });
  await fetchRescued('team/plan', 'aaa.bbb.ccc');
  await fetchRescued('team/plan', null);
  expect(fetched.mock.calls[0]?.[0]).toBe('/api/v1/documents/team%2Fplan/rescued');
  expect(fetched.mock.calls[0]?.[1].headers).toMatchObject({
    authorization: 'Bearer aaa.bbb.ccc',
  });
  expect(fetched.mock.calls[1]?.[1].headers).not.toHaveProperty('authorization');
});

test.each([200, 204])('putting back takes %i for yes', async (status) => {
  const fetched = answerWith(status);
  expect(await restoreRescued('plan', 'a/1', null)).toMatchObject({ kind: 'ok' });
  const [path, request] = fetched.mock.calls[0] ?? [];
  expect(path).toBe('/api/v1/documents/plan/rescued/a%2F1/restore');
  expect(request?.method).toBe('POST');
});

test('dismissing deletes', async () => {
  const fetched = answerWith(204);
  expect(await dismissRescued('plan', 'a', null)).toMatchObject({ kind: 'ok' });
  expect(fetched.mock.calls[0]?.[1].method).toBe('DELETE');
});

test('server that does not know rescued texts has no list', async () => {
  answerWith(404, { detail: 'not found' });
  expect(await fetchRescued('plan', null)).toMatchObject({ kind: 'failed' });
});

test.each([
  ['{"type":"coscribe.rescued"}', true],
  ['{"type":"something else"}', false],
  ['coscribe.rescued', false],
  ['null', false],
])('message %s', (payload, expected) => {
  expect(tellsOfRescued(payload)).toBe(expected);
});
