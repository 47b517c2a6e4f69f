import { expect, it } from 'vitest';
import type { RateLimits } from '#http/rate-limits';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { KeyRing } from '../keys/key-ring.js';
import type { OwnKeys } from '../keys/own-keys.js';
import type { ServerKeyLog } from '../keys/server-key-log.js';
import { evolveKnownKeys, NO_KEYS } from '../receive/known-keys.js';
import { QueryServerKeys, QueryServerKeysHandler } from './query-server-keys.js';

const OTHER = 'b.example' as ServerName;
const NOW = 10_000;

/** Documents of a server, each with one key that has expired. */
const documents = ['one', 'two', 'three'].map((name, i) => ({
  server_name: OTHER,
  valid_until_ts: i,
  verify_keys: {
    [`ed25519:${name}`]: {
      key: Buffer.alloc(32, i + 1)
        .toString('base64')
        .replace(/=+$/, ''),
    },
  },
  old_verify_keys: {},
}));
const known = documents.reduce((keys, document) => evolveKnownKeys(keys, { fetched_ts: NOW, document }), NO_KEYS);

it('answers with keys that have expired where the server tells no others, those first that were asked for', async () => {
  const ring = { told: async () => new Map([[OTHER, known]]), askServers: async () => {} };
  const handler = new QueryServerKeysHandler(
    { serverName: 'a.example', sign: (document: JsonObject) => document } as unknown as OwnKeys,
    ring as unknown as KeyRing,
    { load: async () => known } as unknown as ServerKeyLog,
    { take: () => 0 } as unknown as RateLimits,
    { now: () => NOW },
  );
  const ask = (...ids: string[]) =>
    handler.execute(new QueryServerKeys([{ server: OTHER, validAt: new Map(ids.map((id) => [id, NOW])) }], 'address'));
  const [one, two, three] = documents;
  expect(await ask()).toEqual([one, two, three]);
  expect(await ask('ed25519:two')).toEqual([two, one, three]);
  expect(await ask('ed25519:three', 'ed25519:two', 'ed25519:none')).toEqual([two, three, one]);
});
