import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import { encodeBase64 } from '#protocol/signing/base64';
import { signJson } from '#protocol/signing/sign-json';
import { createSigningKey, type SigningKey } from '#protocol/signing/signing-key';
import { FakePeer, type PeerAnswer } from '#testing/fake-peer';
import { TEST_AUTHOR } from '#testing/local-room';
import { TestKeys } from '#testing/test-keys';
import { TestPeers } from '#testing/test-peers';

const DAY = 24 * 3600_000;
const OTHER = createSigningKey(Buffer.alloc(32, 99), 'other');
const QUERY = '/_matrix/key/v2/query';
const SERVER = '/_matrix/key/v2/server(?:/.*)?';

let peer: FakePeer;
let notary: FakePeer;
let ours: TestPeers;
let keys: TestKeys;

beforeEach(async () => {
  peer = await FakePeer.start(7);
  notary = await FakePeer.start(8);
  ours = new TestPeers({ settings: { ANNALS_FEDERATION_NOTARIES: notary.name } });
  keys = await TestKeys.start(ours);
});
afterEach(async () => {
  await ours.close();
  await peer.stop();
  await notary.stop();
});

const keyId = (of = peer): string => of.server.signingKey.keyId;
const find = (ring = keys.ring) => ring.find(peer.name, keyId());
const fetch = (validAt = keys.clock.time, id = keyId(), ring = keys.ring) =>
  ring.fetch([{ serverName: peer.name, keyId: id, validAt }]);
const asked = (of: FakePeer, path: string): number => of.calls.filter((call) => call.path.startsWith(path)).length;

/** What a server publishes: keys in use, then old ones with their end. */
function publish(
  inUse: readonly SigningKey[],
  old: readonly (readonly [SigningKey, number])[] = [],
  { validUntil = keys.clock.time + DAY, signer = inUse[0]! } = {},
): JsonObject {
  const key = ({ publicKey }: SigningKey): string => encodeBase64(publicKey);
  const document = {
    server_name: peer.name,
    valid_until_ts: validUntil,
    verify_keys: Object.fromEntries(inUse.map((one) => [one.keyId, { key: key(one) }])),
    old_verify_keys: Object.fromEntries(old.map(([one, expired_ts]) => [one.keyId, { key: key(one), expired_ts }])),
  };
  return signJson(document, peer.name, signer);
}

function answer(body: JsonObject, status = 200): void {
  peer.on('GET', SERVER, () => ({ body, status }));
}

function askNotary(route: (wanted: JsonObject) => PeerAnswer): void {
  notary.on('POST', QUERY, ({ content }) => route(content['server_keys'] as JsonObject));
}

describe('the key ring', () => {
  it('knows a key of another server once it was fetched, for seven days at most', async () => {
    expect(find()).toBeUndefined();
    await fetch();
    expect(find()).toMatchObject({ validUntil: keys.clock.time + 7 * DAY, isOld: false });
    expect(find()?.key.publicKey).toEqual(peer.server.signingKey.publicKey);
  });

  it('knows no longer validity than the server says', async () => {
    answer(publish([peer.server.signingKey]));
    await fetch();
    expect(find()?.validUntil).toBe(keys.clock.time + DAY);
  });

  it('asks once for all who want it at the same time, and not again while it is valid', async () => {
    await Promise.all([fetch(), fetch(), fetch()]);
    await fetch();
    expect(asked(peer, '/_matrix/key/')).toBe(1);
  });

  it('asks nobody after a restart for what the views have', async () => {
    await fetch();
    const again = await TestKeys.start(ours, keys.log);
    expect(again.ring.find(peer.name, keyId())).toBeUndefined();
    await fetch(keys.clock.time, keyId(), again.ring);
    expect(again.ring.find(peer.name, keyId())).toMatchObject({ isOld: false });
    expect(asked(peer, '/_matrix/key/')).toBe(1);
  });

  it('asks anew for a key that is not valid for long enough, and does not let a bad answer take the good key away', async () => {
    answer(publish([peer.server.signingKey]));
    await fetch();
    const until = keys.clock.time + DAY;
    keys.clock.time += 2 * DAY;
    for (const bad of [{}, publish([OTHER]), { ...publish([peer.server.signingKey]), valid_until_ts: 1 }]) {
      answer(bad);
      keys.clock.time += DAY;
      await fetch();
      expect(find()).toMatchObject({ validUntil: until, isOld: false });
    }
    answer({ errcode: 'M_UNKNOWN' }, 500);
    keys.clock.time += DAY;
    await fetch();
    expect(find()?.validUntil).toBe(until);
    keys.clock.time += DAY;
    answer(publish([peer.server.signingKey]));
    await fetch();
    expect(find()?.validUntil).toBe(keys.clock.time + DAY);
  });

  it('refuses another key under an id that it knows', async () => {
    await fetch();
    const same = createSigningKey(Buffer.alloc(32, 50), keyId().slice('ed25519:'.length));
    answer(publish([same, OTHER]));
    keys.clock.time += DAY;
    await fetch(keys.clock.time, OTHER.keyId);
    expect(find()?.key.publicKey).toEqual(peer.server.signingKey.publicKey);
    expect(keys.ring.find(peer.name, OTHER.keyId)).toBeDefined();
  });

  it('keeps an old key for ever, with the time at which it ended', async () => {
    answer(publish([OTHER], [[peer.server.signingKey, 5_000]]));
    await fetch();
    expect(find()).toMatchObject({ validUntil: 5_000, isOld: true });
    answer(publish([OTHER]));
    keys.clock.time += 2 * DAY;
    await fetch(keys.clock.time, OTHER.keyId);
    expect(find()).toMatchObject({ validUntil: 5_000, isOld: true });
    answer(publish([peer.server.signingKey]));
    keys.clock.time += 2 * DAY;
    await fetch(keys.clock.time, OTHER.keyId);
    expect(find()).toMatchObject({ validUntil: 5_000, isOld: true });
  });

  it('does not ask again and again for a key that there is not', async () => {
    for (let i = 0; i < 20; i++) await fetch(keys.clock.time, `ed25519:made_up_${i}`);
    expect([asked(peer, '/_matrix/key/'), asked(notary, QUERY)]).toEqual([1, 1]);
    keys.clock.time += 61_000;
    await fetch(keys.clock.time, 'ed25519:made_up');
    expect(asked(peer, '/_matrix/key/')).toBe(2);
  });

  it('does not ask again and again for a time that nobody can answer for', async () => {
    for (let i = 0; i < 20; i++) await fetch(9_000_000_000_000_000);
    expect(asked(peer, '/_matrix/key/')).toBe(1);
  });

  it('asks ever more rarely who answers nothing of use', async () => {
    answer({ errcode: 'M_NOT_FOUND' }, 404);
    let times = 0;
    for (let minute = 0; minute < 60; minute++) {
      await fetch();
      keys.clock.time += 60_000;
      times = asked(peer, '/_matrix/key/');
    }
    expect([times > 4, times < 10]).toEqual([true, true]);
  });

  it('finds its own keys with no question to anybody', async () => {
    const { serverName, signingKey } = TEST_AUTHOR;
    await keys.ring.fetch([{ serverName, keyId: signingKey.keyId, validAt: 0 }]);
    expect(keys.ring.find(serverName, signingKey.keyId)).toMatchObject({ validUntil: Infinity });
    expect(keys.ring.find(serverName, 'ed25519:none')).toBeUndefined();
  });

  it('never throws for a fault of another server', async () => {
    for (const body of ['', 'no JSON', '[]', '{"a":', '{"a":1,"a":1}', 'x'.repeat(200_000)]) {
      peer.on('GET', SERVER, (_, response) => void response.end(body));
      keys.clock.time += 3600_000;
      await fetch();
    }
    peer.on('GET', SERVER, (_, response) => void response.destroy());
    keys.clock.time += 3600_000;
    await fetch();
    expect(find()).toBeUndefined();
  });
});

describe('a server that is gone', () => {
  beforeEach(() => peer.stop());

  const withNotary = (document: JsonObject, signed = true): JsonObject => ({
    server_keys: [signed ? signJson(document, notary.name, notary.server.signingKey) : document],
  });

  it('has the keys that a notary tells, also where they are not valid any more', async () => {
    const document = publish([peer.server.signingKey], [], { validUntil: 1_000 });
    askNotary(() => ({ body: withNotary(document) }));
    await fetch(500);
    expect(find()).toMatchObject({ validUntil: 1_000, isOld: false });
    const query = notary.calls.find(({ path }) => path === QUERY)?.content;
    expect(query).toEqual({ server_keys: { [peer.name]: { [keyId()]: { minimum_valid_until_ts: 500 } } } });
    const fact = keys.log.facts.find(({ stream }) => stream === `server-keys-${peer.name}`);
    expect(fact?.type).toBe('server-keys-told');
    expect(fact?.metadata.actor).toBe(notary.name);
  });

  it('has none that the notary has not signed, that it has not signed itself, or that are of another', async () => {
    const good = publish([peer.server.signingKey]);
    const bad = [
      withNotary(good, false),
      withNotary(publish([peer.server.signingKey], [], { signer: OTHER })),
      withNotary({ ...good, server_name: 'c.example' }),
      withNotary({ ...good, valid_until_ts: keys.clock.time + 5 * DAY }),
      { server_keys: 'none' },
      { server_keys: [1, null, []] },
    ];
    for (const body of bad) {
      askNotary(() => ({ body }));
      keys.clock.time += DAY;
      await fetch();
      expect(find()).toBeUndefined();
    }
    askNotary(() => ({ body: withNotary(good) }));
    keys.clock.time += DAY;
    await fetch();
    expect(find()).toBeDefined();
  });

  it('is asked for in one question with many others', async () => {
    const wanted = Array.from({ length: 100 }, (_, i) => ({
      serverName: `localhost:${i + 1}` as typeof peer.name,
      keyId: 'ed25519:a',
      validAt: keys.clock.time,
    }));
    askNotary(() => ({ body: { server_keys: [] } }));
    await keys.ring.fetch(wanted);
    expect(asked(notary, QUERY)).toBe(2);
  });
});

it('believes what a server says itself more than what a notary says of it', async () => {
  const same = createSigningKey(Buffer.alloc(32, 50), keyId().slice('ed25519:'.length));
  answer({ errcode: 'M_NOT_FOUND' }, 404);
  const document = signJson(publish([same]), notary.name, notary.server.signingKey);
  askNotary(() => ({ body: { server_keys: [document] } }));
  await fetch();
  expect(find()?.key.publicKey).toEqual(same.publicKey);
  answer(publish([peer.server.signingKey]));
  keys.clock.time += 8 * DAY;
  await fetch();
  expect(find()?.key.publicKey).toEqual(peer.server.signingKey.publicKey);
});
