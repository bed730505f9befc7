/**
 * What the browser tests share: the real server on a free port with its own database, a Chromium
 * without a screen, and the few things that people do in a note.
 *
 * Nothing here waits for a time; everything waits for something to be so.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { chromium } from 'playwright-core';

const BINARY =
  process.env.COSCRIBE_BIN ?? new URL('../../target/release/coscribe', import.meta.url).pathname;
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const READY = /^coscribe is ready at (http:\/\/\S+)/;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** How long anything may take before a test is called failed. */
export const PATIENCE_MS = 15_000;

/**
 * One server process with one database; `kill` and `start` may alternate on the same address. With
 * `isLocked` it has a key, and nobody comes in without a token.
 */
export class TestServer {
  #folder = mkdtempSync(join(tmpdir(), 'coscribe-e2e-'));
  #secretFile = null;
  #process = null;
  #listen = '127.0.0.1:0';
  /** The server's address, without a slash at the end. */
  origin = '';

  constructor({ isLocked = false } = {}) {
    if (!isLocked) return;
    this.#secretFile = join(this.#folder, 'secret');
    writeFileSync(this.#secretFile, randomBytes(32).toString('hex'), { mode: 0o600 });
  }

  static async start(options) {
    const server = new TestServer(options);
    await server.start();
    return server;
  }

  /** Starts it, the first time on a free port, then always on the same. */
  async start() {
    const database = join(this.#folder, 'test.db');
    const args = ['serve', '--listen', this.#listen, '--database', database];
    if (this.#secretFile !== null) args.push('--auth-secret-file', this.#secretFile);
    const child = spawn(BINARY, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    // A test that fails half-way must not leave a server behind.
    process.once('exit', () => child.kill('SIGKILL'));
    this.#process = child;
    this.origin = await readyOrigin(this.#process);
    this.#listen = new URL(this.origin).host;
  }

  /** Ends it at once, as a power cut would. */
  async kill() {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await ended;
  }

  /** A token that this server accepts, as `coscribe token` makes it: `{ level: 'read', documents: '*' }`. */
  token(flags) {
    const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
    const all = ['token', '--secret-file', this.#secretFile, ...args];
    return execFileSync(BINARY, all, { encoding: 'utf8' }).trim();
  }

  /** Asks the server's API as whoever `token` says, and takes no refusal. */
  async api(method, path, token, body) {
    const headers = { authorization: `Bearer ${token}` };
    const request = { method, headers, body: body === undefined ? null : JSON.stringify(body) };
    const response = await fetch(`${this.origin}/api/v1/${path}`, request);
    const answer = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${answer}`);
    return answer === '' ? null : JSON.parse(answer);
  }

  async dispose() {
    await this.kill();
    rmSync(this.#folder, { recursive: true });
  }
}

/** A server and a browser for the tests of one file, given back when they are over. */
export async function startStage(options) {
  const server = await TestServer.start(options);
  after(() => server.dispose());
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  after(() => browser.close());
  return { server, browser };
}

function readyOrigin(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const origin = READY.exec(line)?.[1];
      if (origin !== undefined) resolve(origin);
    });
  });
}

/**
 * A person: a browser profile of their own. `faults` collects what must never be: script errors,
 * refused styles and scripts, requests to anywhere else.
 */
export async function newPerson(browser, name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const faults = [];
  await context.addInitScript((person) => {
    // The blank first page of a tab has no storage.
    if (location.protocol !== 'http:') return;
    if (localStorage.getItem('coscribe.person') !== null) return;
    localStorage.setItem('coscribe.person', JSON.stringify(person));
  }, name);
  context.on('weberror', (error) => faults.push(String(error.error())));
  context.on('console', (message) => {
    const isOffline =
      message.text().includes('ERR_CONNECTION_REFUSED') ||
      message.text().includes('ERR_INTERNET_DISCONNECTED') ||
      message.text().includes('WebSocket');
    if (message.type() === 'error' && !isOffline) faults.push(message.text());
  });
  return { context, faults };
}

/** Some people. */
export const ANN = { name: 'Ann', color: '#2f5fc4' };
export const BO = { name: 'Bo', color: '#a8481f' };

/** The text of the open note. */
export function textOf(page) {
  return page.locator('.text[contenteditable]');
}

/**
 * Waits until a frame has been drawn. The browser has told of the caret's place by then, and the page
 * has scrolled to where it wanted; keys need not wait for it.
 */
export function frameDrawn(page) {
  return page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
  );
}

const LINES = '.text[contenteditable] :is(p, h1, h2, h3, pre)';

/** Waits until the text of the note is exactly these lines. */
export async function expectLines(page, lines) {
  const linesNow = (selector) =>
    [...document.querySelectorAll(selector)].map((block) => block.textContent);
  const isThere = ([selector, wanted]) =>
    JSON.stringify([...document.querySelectorAll(selector)].map((block) => block.textContent)) ===
    wanted;
  try {
    await page.waitForFunction(isThere, [LINES, JSON.stringify(lines)]);
  } catch {
    assert.deepEqual(await page.evaluate(linesNow, LINES), lines);
  }
}

/** Waits until the status says one of these kinds. */
export async function expectStatus(page, ...kinds) {
  const selector = kinds.map((kind) => `[data-save="${kind}"]`).join(', ');
  await page.locator(selector).first().waitFor();
}

/** Opens a note and waits until one can write. */
export async function openNote(page, server, id) {
  await page.goto(`${server.origin}/n/${id}`);
  await textOf(page).waitFor();
}

/** Types of the frames that tests look at. */
export const TYPE_AUTH = 2;
export const TYPE_SYNC_STATUS = 8;

/** Type and body of a frame of a document with a short name. */
export function parts(frame) {
  const start = 1 + frame[0];
  return { type: frame[start], body: frame.subarray(start + 1), address: frame.subarray(0, start) };
}

/** Lets a test change what the server says: `change` gets each frame and how to pass one on. */
export async function listenIn(page, change) {
  await page.routeWebSocket(/\/collab$/, (socket) => {
    const upstream = socket.connectToServer();
    upstream.onMessage((frame) => change(frame, (next) => socket.send(next)));
  });
}

/** What axe finds on the page, in short words; empty when it finds nothing. */
export async function axeFindings(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  return violations.flatMap((violation) =>
    violation.nodes.map((node) => `${violation.id}: ${node.html}\n${node.failureSummary}`),
  );
}
