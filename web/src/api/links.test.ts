import { afterEach, expect, test, vi } from 'vitest';
import { fetchLinks, makeLink, revokeLink } from './links';

const TOKEN = 'aaa.bbb.ccc';

/** The server's next answer; returns what it was asked. */
function answerWith(status: number, body: unknown) {
  const answer = () => new Response(status === 204 ? null : JSON.stringify(body), { status });
  const fetched = vi.fn<(path: string, request: RequestInit) => Promise<Response>>();
  fetched.mockImplementation(() => Promise.resolve(answer()));
  vi.stubGlobal('fetch', fetched);
  return fetched;
}

afterEach(() => vi.unstubAllGlobals());

test('the note is one segment of the path, and the token is in no address', async () => {
  const fetched = answerWith(200, { links: [] });
  await fetchLinks('team/plan 2', TOKEN);
  const [path, request] = fetched.mock.calls[0] ?? [];
  expect(path).toBe('/api/v1/documents/team%2Fplan%202/links');
  expect(request?.headers).toMatchObject({ authorization: `Bearer ${TOKEN}` });
});

test('only links that still work are listed', async () => {
  const link = { document: 'plan', level: 'read', label: '', created_at_ms: 5 };
  answerWith(200, {
    links: [
      { ...link, id: 'open' },
      { ...link, id: 'timed', level: 'write', label: 'Bo', expires_at_ms: Date.now() + 60_000 },
      { ...link, id: 'over', expires_at_ms: Date.now() - 1 },
      { ...link, id: 'revoked', revoked_at_ms: 7 },
      { ...link, id: 'of a later server', level: 'paint' },
    ],
  });
  const answer = await fetchLinks('plan', TOKEN);
  expect(answer).toMatchObject({
    kind: 'ok',
    value: [
      { id: 'open', level: 'read', label: '', createdAtMs: 5, expiresAtMs: null },
      { id: 'timed', level: 'write', label: 'Bo' },
    ],
  });
});

test('new link says what it should be, and answers with its secret', async () => {
  const fetched = answerWith(201, { id: 'x', secret: 'share-1' });
  const made = await makeLink('plan', TOKEN, { level: 'write', expiresInS: 3600, label: 'Bo' });
  expect(made).toEqual({ kind: 'ok', value: 'share-1' });
  const body = String(fetched.mock.calls[0]?.[1].body);
  expect(JSON.parse(body)).toEqual({ level: 'write', expires_in_s: 3600, label: 'Bo' });
  await makeLink('plan', TOKEN, { level: 'read', expiresInS: null, label: '' });
  expect(JSON.parse(String(fetched.mock.calls[1]?.[1].body))).toEqual({ level: 'read', label: '' });
});

test('revoked link has no answer but that', async () => {
  const fetched = answerWith(204, null);
  expect(await revokeLink('a b', TOKEN)).toEqual({ kind: 'ok', value: null });
  expect(fetched.mock.calls[0]?.[0]).toBe('/api/v1/links/a%20b');
});

test.each([
  [401, { detail: 'a login is needed' }, { kind: 'denied' }],
  [403, { detail: 'this needs the level admin' }, { kind: 'denied' }],
  [
    409,
    { detail: 'a document has 100 links at most' },
    { kind: 'refused', detail: 'a document has 100 links at most' },
  ],
  [500, 'oops', { kind: 'unreachable' }],
])('status %i', async (status, body, fault) => {
  answerWith(status, body);
  expect(await fetchLinks('plan', TOKEN)).toEqual({ kind: 'failed', fault });
});

test('no connection is a fault and no exception', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
  const answer = await fetchLinks('plan', TOKEN);
  expect(answer).toEqual({ kind: 'failed', fault: { kind: 'unreachable' } });
});
