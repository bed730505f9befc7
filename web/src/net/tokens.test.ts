// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const LOGIN = 'aaa.bbb.ccc';
const SHARE = 'share-abcdefghijklmnopqrstuv';

/** A page that has just been loaded: the module's own memory is empty. */
async function freshPage() {
  vi.resetModules();
  return import('./tokens');
}

function visit(address: string): void {
  history.pushState({ isNew: true }, '', address);
}

beforeEach(() => {
  sessionStorage.clear();
  localStorage.clear();
});

afterEach(() => vi.restoreAllMocks());

test('token is taken out of the address, and the rest of it stays', async () => {
  const { takeToken, tokenOf } = await freshPage();
  visit(`/n/team/plan%202?a=1#token=${LOGIN}`);
  const entries = history.length;
  expect(takeToken()).toBe(true);
  expect(location.pathname + location.search + location.hash).toBe('/n/team/plan%202?a=1');
  expect(history.length).toBe(entries);
  expect(history.state).toEqual({ isNew: true });
  expect(tokenOf('team/plan 2')).toBe(LOGIN);
  expect(tokenOf('team')).toBeNull();
  expect(takeToken()).toBe(false);
});

test("login's token stays in this tab, a share link's is kept on the device", async () => {
  const first = await freshPage();
  visit(`/n/plan#token=${LOGIN}`);
  first.takeToken();
  visit(`/n/shared#token=${SHARE}`);
  first.takeToken();
  expect(JSON.stringify({ ...localStorage })).not.toContain(LOGIN);

  const reloaded = await freshPage();
  expect(reloaded.tokenOf('plan')).toBe(LOGIN);
  sessionStorage.clear();
  const otherTab = await freshPage();
  expect(otherTab.tokenOf('plan')).toBeNull();
  expect(otherTab.tokenOf('shared')).toBe(SHARE);
});

test('newer token takes the place of the older', async () => {
  const { takeToken, tokenOf } = await freshPage();
  visit(`/n/plan#token=${SHARE}`);
  takeToken();
  visit(`/n/plan#token=${LOGIN}`);
  takeToken();
  expect(tokenOf('plan')).toBe(LOGIN);
});

test('forgotten token is nowhere', async () => {
  const { forgetToken, takeToken, tokenOf } = await freshPage();
  visit(`/n/plan#token=${SHARE}`);
  takeToken();
  forgetToken('plan');
  expect(tokenOf('plan')).toBeNull();
  expect(sessionStorage.length + localStorage.length).toBe(0);
});

test('where storage is blocked, a token lives as long as the page', async () => {
  const blocked = () => {
    throw new DOMException('denied', 'SecurityError');
  };
  vi.spyOn(Storage.prototype, 'setItem').mockImplementation(blocked);
  vi.spyOn(Storage.prototype, 'getItem').mockImplementation(blocked);
  vi.spyOn(Storage.prototype, 'removeItem').mockImplementation(blocked);
  const { forgetToken, takeToken, tokenOf } = await freshPage();
  visit(`/n/plan#token=${SHARE}`);
  takeToken();
  expect(tokenOf('plan')).toBe(SHARE);
  forgetToken('plan');
  expect(tokenOf('plan')).toBeNull();
});

test.each([
  ['#text', '#text'],
  ['#token=', ''],
  [`#token=${'x'.repeat(8193)}`, ''],
])('address with %.20s holds no token', async (hash, left) => {
  const { takeToken, tokenOf } = await freshPage();
  visit(`/n/plan${hash}`);
  expect(takeToken()).toBe(false);
  expect(location.hash).toBe(left);
  expect(tokenOf('plan')).toBeNull();
});

test('token at an address that is no note is dropped', async () => {
  const { takeToken } = await freshPage();
  visit(`/#token=${LOGIN}`);
  expect(takeToken()).toBe(false);
  expect(location.hash).toBe('');
  expect(sessionStorage.length + localStorage.length).toBe(0);
});

test('link that is opened over its note is heard until nobody listens', async () => {
  const { onNewToken, tokenOf } = await freshPage();
  const tell = vi.fn();
  const stop = onNewToken(tell);
  visit(`/n/plan#token=${SHARE}`);
  dispatchEvent(new HashChangeEvent('hashchange'));
  expect(tell).toHaveBeenCalledTimes(1);
  expect(tokenOf('plan')).toBe(SHARE);
  stop();
  visit(`/n/plan#token=${LOGIN}`);
  dispatchEvent(new HashChangeEvent('hashchange'));
  expect(tell).toHaveBeenCalledTimes(1);
});

function login(claims: unknown): string {
  return `header.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.signature`;
}

test.each([
  [login({ level: 'admin', name: 'Zoë ~~~ ???' }), true],
  [login({ level: 'write' }), false],
  [login(null), false],
  ['a.b.c', false],
  [SHARE, false],
])('%.30s may administer: %j', async (token, expected) => {
  const { claimsAdmin } = await freshPage();
  expect(claimsAdmin(token)).toBe(expected);
});
