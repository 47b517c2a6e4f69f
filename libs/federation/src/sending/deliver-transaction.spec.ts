import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Logger } from '#observability/logger';
import { TransactionDelivery } from './deliver-transaction.js';

const silent = { debug() {}, info() {}, warn() {}, error() {} } as unknown as Logger;
const TRANSACTION = { id: 't', content: '{"pdus":[]}', pdus: 0, edus: 0 };
const B = 'b.example';

let asked: string[];
let answer: (server: string) => Promise<JsonObject>;
let delivery: TransactionDelivery;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
  asked = [];
  delivery = new TransactionDelivery({ ask: (server) => (asked.push(server), answer(server)) }, silent);
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
