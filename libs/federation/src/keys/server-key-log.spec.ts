import { expect, it } from 'vitest';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { encodeBase64 } from '#protocol/signing/base64';
import { createSigningKey } from '#protocol/signing/signing-key';
import { MemoryEventStore } from '#testing/memory-event-store';
import { serverKeysStream } from '../facts/server-key-facts.js';
import { ServerKeyLog } from './server-key-log.js';

const B = 'b.example' as ServerName;
const KEY = { key: encodeBase64(createSigningKey(Buffer.alloc(32, 1), 'a').publicKey) };
const DAY = 24 * 3600_000;

const document = (day: number, more: JsonObject = {}): JsonObject => ({
  server_name: B,
  valid_until_ts: (day + 1) * DAY,
  verify_keys: { 'ed25519:a': KEY },
  ...more,
});

it('the facts of the keys of a server stay few, however long it tells the same ones, and say all that was told', async () => {
  const store = new MemoryEventStore();
  const log = new ServerKeyLog(store, { now: () => 0 });
  await log.keep(B, {
    fetched_ts: 0,
    document: document(0, { old_verify_keys: { 'ed25519:o': { ...KEY, expired_ts: 5 } } }),
  });
  for (let day = 1; day <= 1_500; day++) {
    await log.keep(B, { fetched_ts: day * DAY, document: document(day) });
    await log.keep(B, { fetched_ts: day * DAY + 1, document: document(day) });
  }
  const known = await log.load(B);
  expect(known.keys['ed25519:a']?.by_server).toEqual({ in_use_until: 1_501 * DAY });
  expect(known.keys['ed25519:o']?.by_server).toEqual({ expired_ts: 5 });
  expect(await new ServerKeyLog(store, { now: () => 0 }).load(B)).toEqual(known);
  let facts = 0;
  for await (const _ of store.readStream(serverKeysStream(B))) facts++;
  expect(facts).toBeLessThan(600);
});
