import { describe, expect, it } from 'vitest';
import { ServerKeyLog } from '#federation/keys/server-key-log';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { encodeBase64 } from '#protocol/signing/base64';
import { signJson } from '#protocol/signing/sign-json';
import { createSigningKey, type SigningKey } from '#protocol/signing/signing-key';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { LogFinding } from './finding.js';
import { keyRing } from './key-ring.js';
import { keysOfOthers } from './keys-of-others.js';
import { verifyLog } from './verify-log.js';

const B = 'b.example' as ServerName;
const [FIRST, SECOND] = [1, 2].map((seed) => createSigningKey(Buffer.alloc(32, seed), `k${seed}`)) as [
  SigningKey,
  SigningKey,
];
const keyOf = ({ publicKey }: SigningKey): JsonObject => ({ key: encodeBase64(publicKey) });

const IN_USE = signJson(
  { server_name: B, valid_until_ts: 1_000, verify_keys: { [FIRST.keyId]: keyOf(FIRST) } },
  B,
  FIRST,
);
const ENDED = signJson(
  {
    server_name: B,
    valid_until_ts: 2_000,
    verify_keys: { [SECOND.keyId]: keyOf(SECOND) },
    old_verify_keys: { [FIRST.keyId]: { ...keyOf(FIRST), expired_ts: 700 } },
  },
  B,
  SECOND,
);

/** A log to which this was told of the keys of b.example, in this order. */
async function told(...documents: readonly JsonObject[]): Promise<MemoryEventStore> {
  const store = new MemoryEventStore();
  const log = new ServerKeyLog(store, { now: () => 0 });
  for (const document of documents) await log.keep(B, { fetched_ts: 0, document });
  return store;
}

async function find(store: MemoryEventStore, key: SigningKey, ts: number, isEnforced = true): Promise<string> {
  const found = keyRing(await keysOfOthers(store), 'a.example')(B, key.keyId, { ts, isEnforced });
  return typeof found === 'object' ? found.publicKey.toString('hex').slice(0, 8) : String(found);
}

const hexOf = ({ publicKey }: SigningKey): string => publicKey.toString('hex').slice(0, 8);

describe('the keys of other servers in a log', () => {
  it('count as long as they were valid', async () => {
    const store = await told(IN_USE);
    expect(await find(store, FIRST, 1_000)).toBe(hexOf(FIRST));
    expect(await find(store, FIRST, 1_001)).toBe('not-valid');
    expect(await find(store, FIRST, 1_001, false)).toBe(hexOf(FIRST));
    expect(await find(store, SECOND, 1)).toBe('undefined');
  });

  it('count for what came while they were taken for valid, also where their server said later that they had ended', async () => {
    expect(await find(await told(IN_USE, ENDED), FIRST, 900)).toBe(hexOf(FIRST));
    const old = await told(ENDED);
    expect(await find(old, FIRST, 700)).toBe(hexOf(FIRST));
    expect(await find(old, FIRST, 900)).toBe('not-valid');
    expect(await find(old, FIRST, 900, false)).toBe('not-valid');
  });

  it('are none of ours', async () => {
    const ring = keyRing(await keysOfOthers(await told(IN_USE)), 'a.example');
    expect(ring('a.example', FIRST.keyId, { ts: 1, isEnforced: true })).toBeUndefined();
  });

  it('are verified as all of the log: who signed them not is found, and counts for nothing', async () => {
    const store = await told(IN_USE, { ...ENDED, valid_until_ts: 3_000 });
    const all: LogFinding[] = [];
    await verifyLog({ store, keys: () => undefined, report: (each) => all.push(each), isEmbedded: true });
    expect(all).toEqual([
      { stream: 'server-keys-b.example', revision: 1, problem: expect.stringContaining('do not count') as string },
    ]);
    expect(await find(store, SECOND, 1)).toBe('undefined');
    expect(await find(store, FIRST, 1)).toBe(hexOf(FIRST));
  });
});
