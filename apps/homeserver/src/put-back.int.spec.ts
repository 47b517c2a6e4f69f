import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '#config/config';
import { openLog } from '#observability/logger';
import { type KurrentStandIn, startKurrentStandIn } from '#testing/kurrentdb-stand-in/kurrentdb-stand-in';
import type { StandInLog } from '#testing/kurrentdb-stand-in/stand-in-log';
import { type RunningServer, startServer } from './server.js';

const LIMIT = `filter=${encodeURIComponent(JSON.stringify({ room: { timeline: { limit: 500 } } }))}`;

let directory: string;
let database: KurrentStandIn;
let server: RunningServer;
let ended: AbortController;
let lines: string[];
/** Why it is to end. */
let lost: string[];
let token: string;
let room: string;
/** One that nothing happens in until the log is put back. */
let quiet: string;

// Answers of any kind; what is looked at in them is what each test expects.
// oxlint-disable-next-line typescript/no-explicit-any
async function ask(method: string, path: string, body?: object): Promise<any> {
  const response = await fetch(`${server.address}/_matrix/client/v3${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const answer = (await response.json()) as object;
  if (response.status !== 200) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

async function start(): Promise<void> {
  ended = new AbortController();
  const config = loadConfig({
    ANNALS_SERVER_NAME: 'a.example',
    ANNALS_LISTEN: '127.0.0.1:0',
    ANNALS_DATA_DIR: directory,
    ANNALS_EVENT_STORE_URL: database.url,
    ANNALS_REGISTRATION: 'open',
    ANNALS_RATE_LIMITS: 'off',
  });
  const log = await openLog('silent');
  const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
  server = await startServer(config, { ...log, logger }, ({ message }) => {
    lost.push(message);
    ended.abort();
  });
}

/** The database is put back to an older copy of it. */
async function putBack(copy: StandInLog): Promise<void> {
  await database.close();
  database = await startKurrentStandIn({ log: copy, port: database.port });
}

let said = 0;
async function say(body: string, where = room): Promise<void> {
  await ask('PUT', `/rooms/${encodeURIComponent(where)}/send/m.room.message/t${++said}`, { msgtype: 'm.text', body });
}

/** What somebody with a token is told that was said, by /sync and by the pages of the room. */
async function toldSince(since: string, page: string): Promise<Record<'sync' | 'page' | 'quiet', string[]>> {
  const bodies = (events: { content: { body?: string } }[]): string[] =>
    events.flatMap(({ content: { body } }) => (body === undefined ? [] : [body]));
  const { rooms } = await ask('GET', `/sync?${LIMIT}&since=${since}`);
  const { chunk } = await ask('GET', `/rooms/${encodeURIComponent(room)}/messages?dir=f&limit=1000&from=${page}`);
  const [sync = [], inQuiet = []] = [room, quiet].map((each) => bodies(rooms?.join?.[each]?.timeline.events ?? []));
  return { sync, page: bodies(chunk), quiet: inQuiet };
}

const pageEnd = async (): Promise<string> =>
  (await ask('GET', `/rooms/${encodeURIComponent(room)}/messages?dir=b&limit=1`)).start;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'annals-put-back-'));
  lines = [];
  lost = [];
  database = await startKurrentStandIn();
  await start();
  const account = { username: 'alice', password: 'the password of alice', auth: { type: 'm.login.dummy' } };
  ({ access_token: token } = await ask('POST', '/register', account));
  ({ room_id: room } = await ask('POST', '/createRoom', {}));
  ({ room_id: quiet } = await ask('POST', '/createRoom', {}));
});
afterEach(async () => {
  await server.drain();
  await database.close();
  rmSync(directory, { recursive: true, force: true });
});

test('a server whose log was put back while it was stopped tells everything that is new, whatever token it is asked with', async () => {
  for (let i = 0; i < 80; i++) await say(`old ${i}`);
  const copy = database.log.copy();
  for (let i = 0; i < 5; i++) await say(`lost ${i}`);
  const [{ next_batch: since }, page] = [await ask('GET', '/sync'), await pageEnd()];
  await server.drain();
  await putBack(copy);
  await start();
  expect(lines.filter((line) => line.includes('The log was put back to an earlier moment'))).toHaveLength(1);
  // Past where the lost tokens point to.
  const fresh = Array.from({ length: 12 }, (_, i) => `new ${i}`);
  for (const body of fresh) await say(body);
  const told = await toldSince(since, page);
  for (const bodies of [told.sync, told.page]) {
    expect(bodies.slice(-fresh.length)).toEqual(fresh);
    expect(bodies.length).toBe(new Set(bodies).size);
    expect(bodies.filter((body) => body.startsWith('lost'))).toEqual([]);
  }
});

test('a running server notices that its log was put back, and says once that it must end; what it wrote by then is told', async () => {
  for (let i = 0; i < 80; i++) await say(`old ${i}`);
  const copy = database.log.copy();
  for (let i = 0; i < 5; i++) await say(`lost ${i}`);
  const [{ next_batch: since }, page] = [await ask('GET', '/sync'), await pageEnd()];
  const noticed = once(ended.signal, 'abort');
  await putBack(copy);
  // It has not noticed yet.
  await say('in between', quiet);
  await noticed;
  await server.drain();
  expect(lost).toEqual([
    expect.stringMatching(/^the log was put back to an earlier moment: it no longer has the fact at /),
  ]);
  await start();
  const fresh = Array.from({ length: 12 }, (_, i) => `new ${i}`);
  for (const body of fresh) await say(body);
  const told = await toldSince(since, page);
  expect(told.quiet).toEqual(['in between']);
  for (const bodies of [told.sync, told.page]) {
    expect(bodies.slice(-fresh.length)).toEqual(fresh);
    expect(bodies.length).toBe(new Set(bodies).size);
  }
});
