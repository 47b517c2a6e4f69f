import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { PeerRefused } from '#kernel/peer-errors';
import type { Logger } from '#observability/logger';
import type { PeerRequest } from '../peers/peers.js';
import { TransactionDelivery } from './deliver-transaction.js';
import { TransactionWriter } from './write-transaction.js';

const silent = { debug() {}, info() {}, warn() {}, error() {} } as unknown as Logger;
const TRANSACTION = { id: 't', content: '{"pdus":[]}', pdus: [], edus: [] };
const B = 'b.example';
const writer = new TransactionWriter('a.example' as ServerName, () => 1);

let asked: string[];
let answer: (server: string, text: string) => Promise<JsonObject>;
let delivery: TransactionDelivery;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
  asked = [];
  delivery = new TransactionDelivery(
    { ask: (server, request) => (asked.push(server), answer(server, request.contentText!)) },
    writer,
    silent,
  );
});
afterEach(() => {
  vi.useRealTimers();
});

const never = (): Promise<never> => new Promise(() => {});

/** Delivers to some servers at once; what becomes of it is waited for by nobody. */
async function deliver(servers: readonly string[], how: { isProven?: boolean; isProbe?: boolean }): Promise<void> {
  const terms = { isProven: false, isProbe: false, onFailure: () => {}, ...how };
  const { signal } = new AbortController();
  for (const server of servers) void delivery.deliver(server as ServerName, TRANSACTION, terms, signal);
  for (let turns = 0; turns < 1_000; turns++) await nextTurn();
}

const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}.example`);

describe('a server', () => {
  it('that is not known yet waits for none of those that are tried again', async () => {
    answer = never;
    await deliver(many(500), { isProbe: true });
    await deliver([B], {});
    expect(asked).toHaveLength(201);
    expect(asked.at(-1)).toBe(B);
  });

  it('waits for none of those that take long for each answer', async () => {
    answer = () => new Promise((resolve) => setTimeout(() => resolve({}), 30_000));
    await deliver(many(1_000), { isProven: true });
    await vi.advanceTimersByTimeAsync(30_000);
    asked = [];
    answer = never;
    await deliver(many(1_000), { isProven: true });
    await deliver([B], { isProven: true });
    expect(asked).toHaveLength(201);
    expect(asked.at(-1)).toBe(B);
  });
});

describe('a transaction', () => {
  const pdus = Array.from({ length: 50 }, (_, i) => `{"content":{"n":${i}},"room_id":"!r","type":"t"}`);
  const edus = Array.from({ length: 100 }, (_, i) => `{"content":{"e":${i}},"edu_type":"e"}`);
  let taken: string[];
  let warned: object[];
  let refusal: PeerRefused;
  let isRefused: (text: string) => boolean;

  beforeEach(() => {
    taken = [];
    warned = [];
    refusal = new PeerRefused(413, { errcode: 'M_TOO_LARGE' });
    answer = async (_, text) => {
      if (isRefused(text)) throw refusal;
      const parts = JSON.parse(text) as { pdus: JsonObject[]; edus?: JsonObject[] };
      taken.push(...[...(parts.edus ?? []), ...parts.pdus].map(({ content }) => JSON.stringify(content)));
      return {};
    };
    const logger = { ...silent, warn: (told: object) => warned.push(told) } as unknown as Logger;
    const asPeers = { ask: (server: string, { contentText }: PeerRequest) => answer(server, contentText!) };
    delivery = new TransactionDelivery(asPeers, writer, logger, [1, 1]);
  });

  const send = (some = writer.write(pdus, edus)): Promise<void> => {
    const terms = { isProven: true, isProbe: false, onFailure: () => {} };
    return delivery.deliver(B as ServerName, some, terms, new AbortController().signal);
  };

  it.each(['{"n":0}', '{"n":31}', '{"e":99}'])('is taken but for what its server refuses: %s', async (guilty) => {
    isRefused = (text) => text.includes(guilty);
    await send();
    const all = [...edus.map((_, i) => `{"e":${i}}`), ...pdus.map((_, i) => `{"n":${i}}`)];
    expect(taken).toEqual(all.filter((one) => one !== guilty));
    expect(warned).toMatchObject([{ server: B, reason: '413 M_TOO_LARGE' }]);
    expect(delivery.numbers).toMatchObject({ refused: 1, pdus: guilty.includes('n') ? 49 : 50 });
  });

  it('is not given up where its server refuses everything, or what stands before it does', async () => {
    isRefused = () => true;
    refusal = new PeerRefused(400, { errcode: 'M_UNKNOWN' });
    await expect(send()).rejects.toBe(refusal);
    refusal = new PeerRefused(400, {});
    await expect(send(writer.write(pdus.slice(0, 1), []))).rejects.toBe(refusal);
    refusal = new PeerRefused(410, { errcode: 'M_GONE' });
    await expect(send(writer.write(pdus.slice(0, 1), []))).rejects.toBe(refusal);
    expect(warned.length).toBeLessThan(10);
  });

  it('is taken but for numbers that its server spells otherwise, so that the signature does not hold', async () => {
    const odd = Array.from(
      { length: 20 },
      (_, n) => `{"content":{"odd":${n % 2 === 0 ? `${n}E1` : '1e-05'},"text":"1E1"},"room_id":"!r","type":"t"}`,
    );
    refusal = new PeerRefused(401, { errcode: 'M_UNAUTHORIZED' });
    isRefused = (text) => /\dE1,|e-05/.test(text);
    await send(writer.write([...odd, ...pdus.slice(20)], []));
    expect(taken).toEqual(pdus.slice(20).map((_, i) => `{"n":${i + 20}}`));
    expect(warned).toHaveLength(odd.length);
    isRefused = () => true;
    await expect(send(writer.write(['{"content":{"n":[1.5,1e-10],"text":"1E1"}}'], []))).rejects.toBe(refusal);
  });

  it('is not given up because of such a number where its server takes nothing that is signed here, as while it lacks the key', async () => {
    vi.useRealTimers();
    refusal = new PeerRefused(401, { errcode: 'M_UNAUTHORIZED' });
    const odd = [`{"content":{"odd":1e-05},"edu_type":"e"}`, `{"content":{"odd":0.00001},"edu_type":"e"}`];
    isRefused = () => true;
    await expect(send(writer.write([], odd))).rejects.toBe(refusal);
    isRefused = (text) => text.includes('e-05');
    await send(writer.write([], odd));
    expect([taken, warned.length]).toEqual([['{"odd":0.00001}'], 1]);
  });

  it('is given back where its server asks for a pause that nobody waits for here', async () => {
    let count = 0;
    isRefused = () => ++count > 0;
    refusal = new PeerRefused(429, { errcode: 'M_LIMIT_EXCEEDED' }, 3_600_000);
    await expect(send()).rejects.toBe(refusal);
    expect(count).toBe(1);
  });
});
