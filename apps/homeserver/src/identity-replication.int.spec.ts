import { hash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import type { JsonObject } from '#kernel/json';
import { START } from '#kernel/position';
import { encodeBase64 } from '#protocol/signing/base64';
import { signJson } from '#protocol/signing/sign-json';
import { createSigningKey, type SigningKey } from '#protocol/signing/signing-key';
import { signRequest } from '#protocol/signing/sign-request';
import type { ServerName } from '#kernel/ids';
import { FakePeer } from '#testing/fake-peer';
import { type MailServer, startMailServer } from '#testing/mail-server';
import { FederatedServer } from '../test/federated-server.js';
import { findSigningKey } from './signing-key-file.js';
import { IdentityClient } from '#testing/identity-client';

const FEED = '/_matrix/identity/unstable/dev.annals.associations';
const V1 = '/_matrix/identity/api/v1';
const FINDABLE = '/_matrix/identity/unstable/dev.annals.findable';
const SOON = { interval: 500 };

let mails: MailServer;
let a: FederatedServer;
let b: FederatedServer;
/** A third one, that says what a test has it say. */
let c: FakePeer;
let said: JsonObject[] = [];

beforeAll(async () => {
  mails = await startMailServer();
  c = await FakePeer.start();
  c.on('GET', FEED, ({ path }) => {
    const from = Number(new URL(path, 'https://x').searchParams.get('after') ?? 0);
    return { body: { entries: said.slice(from), next: String(said.length), more: false } };
  });
  const settings = { ANNALS_ROLES: 'all,identity', ANNALS_SMTP_URL: mails.url };
  [a, b] = [await FederatedServer.start(settings), await FederatedServer.start(settings)];
  const peers: string[] = [];
  for (const server of [a, b]) peers.push(`${server.name} ${await keyOf(server)}`);
  const third = `${c.name} ${encodeBase64(c.server.signingKey.publicKey)} https://${c.name}`;
  await a.whileAway(undefined, { ANNALS_IDENTITY_PEERS: peers[1]! });
  await b.whileAway(undefined, { ANNALS_IDENTITY_PEERS: `${peers[0]!}, ${third}` });
});
afterAll(async () => {
  for (const server of [a, b]) await server.stop();
  await c.stop();
  await mails.close();
});

async function keyOf(server: FederatedServer): Promise<string> {
  const answer = (await (await fetch(`${server.address}/_matrix/key/v2/server`)).json()) as {
    verify_keys: Record<string, { key: string }>;
  };
  return Object.values(answer.verify_keys)[0]!.key;
}

const bothOf = async (name: string): Promise<[IdentityClient, IdentityClient]> => {
  const user = await a.register(name);
  return [await IdentityClient.open(a, mails, user), await IdentityClient.open(b, mails, user)];
};
describe('identity servers that trust each other', () => {
  it('know what is made known to either, by their own hashes, and signed by both', async () => {
    const [atA, atB] = await bothOf('alice');
    await atA.bind('alice@mail.example');
    await expect.poll(() => atB.lookUp('alice@mail.example'), SOON).toBe(atA.user.userId);
    const path = `${V1}/lookup?medium=email&address=alice@mail.example`;
    const { body } = await atB.call('GET', path);
    expect(Object.keys(body['signatures'] as object).toSorted()).toEqual([a.name, b.name].toSorted());
  });

  it('know it no more once it is undone at either, also where one was away meanwhile', async () => {
    const [atA, atB] = await bothOf('bob');
    const first = await atA.bind('bob@mail.example');
    await expect.poll(() => atB.lookUp('bob@mail.example'), SOON).toBe(atA.user.userId);
    await b.whileAway(async () => {
      expect((await atA.unbind('bob@mail.example', first)).status).toBe(200);
    });
    await expect.poll(() => atB.lookUp('bob@mail.example'), SOON).toBeUndefined();
    await atA.call('POST', '3pid/bind', { ...first, mxid: atA.user.userId });
    await expect.poll(() => atB.lookUp('bob@mail.example'), SOON).toBe(atA.user.userId);
    const second = await atB.validate('bob@mail.example');
    expect((await atB.unbind('bob@mail.example', second)).status).toBe(200);
    await expect.poll(() => atA.lookUp('bob@mail.example'), SOON).toBeUndefined();
    expect(await atB.lookUp('bob@mail.example')).toBeUndefined();
  });

  it('have no more left of what is over than an id that says nothing, in what they tell, in their logs and in their views', async () => {
    const [atA, atB] = await bothOf('carol');
    const session = await atA.bind('carol@mail.example');
    await expect.poll(() => atB.lookUp('carol@mail.example'), SOON).toBe(atA.user.userId);
    const entriesOf = async () => (await feedOfA()).entries.filter((entry) => entry['readers'] === undefined);
    const live = (await entriesOf()).find((entry) => JSON.stringify(entry).includes('carol@mail.example'))!;
    const id = live['association_id'] as string;
    await atA.unbind('carol@mail.example', session);
    await expect.poll(() => atB.lookUp('carol@mail.example'), SOON).toBeUndefined();
    const after = (await entriesOf()).find((entry) => entry['association_id'] === id)!;
    expect(Object.keys(after).toSorted()).toEqual(['association_id', 'signatures', 'ts']);
    const plain = hash('sha256', 'email carol@mail.example', 'hex');
    // What has ended is erased behind its end.
    for (const server of [a, b]) {
      const found = async (): Promise<string> => {
        let all: string[] = [];
        await server.whileAway(async () => void (all = await associationsIn(server)));
        expect(all.join()).toContain(id);
        return all.filter((text) => /carol|signatures/.test(text) || text.includes(plain)).join();
      };
      await expect.poll(found, SOON).not.toMatch(/carol/);
      expect(await found()).not.toContain(plain);
    }
  });

  it('have nobody found by whom they do not want, wherever they said that', async () => {
    const [atA, atB] = await bothOf('grace');
    const [, other] = await bothOf('heidi');
    const findable = (readers: readonly string[]) => atA.call('PUT', FINDABLE, { readers });
    await atA.bind('grace@mail.example');
    await expect.poll(() => other.lookUp('grace@mail.example'), SOON).toBe(atA.user.userId);
    await findable([atA.user.userId]);
    await expect.poll(() => other.lookUp('grace@mail.example'), SOON).toBeUndefined();
    expect(await atB.lookUp('grace@mail.example')).toBe(atA.user.userId);
    await findable(['everybody']);
    await expect.poll(() => other.lookUp('grace@mail.example'), SOON).toBe(atA.user.userId);
  });

  it('know whose it is that was made known last', async () => {
    const [atA, atB] = await bothOf('dave');
    const [, other] = await bothOf('erin');
    await atA.bind('shared@mail.example');
    await expect.poll(() => atB.lookUp('shared@mail.example'), SOON).toBe(atA.user.userId);
    await other.bind('shared@mail.example');
    await expect.poll(() => atA.lookUp('shared@mail.example'), SOON).toBe(other.user.userId);
  });

  it('tell nobody else', async () => {
    const refused = { status: 401, body: { errcode: 'M_UNAUTHORIZED' } };
    const uri = `${FEED}?ts=${Date.now()}`;
    const ask = async (headers: Record<string, string>) => {
      const answer = await fetch(`${a.address}${uri}`, { headers });
      return { status: answer.status, body: (await answer.json()) as object };
    };
    expect(await ask({})).toMatchObject(refused);
    expect(await ask({ authorization: 'Bearer x' })).toMatchObject(refused);
    const signed = (key: SigningKey, origin: string, destination: string) =>
      signRequest({ method: 'GET', uri, origin: origin as ServerName, destination: destination as ServerName }, key)
        .authorization;
    const stranger = createSigningKey(Buffer.alloc(32, 9), '0');
    expect(await ask({ authorization: signed(stranger, b.name, a.name) })).toMatchObject(refused);
    // One that the other trusts, and this one does not.
    expect(await ask({ authorization: signed(c.server.signingKey, c.name, a.name) })).toMatchObject(refused);
    expect(await ask({ authorization: signed(c.server.signingKey, c.name, b.name) })).toMatchObject(refused);
  });

  it('are told nothing by what they have signed at another time', async () => {
    const now = Date.now();
    const at = (ts: number): Promise<number> => statusOf(b, a, `${FEED}?ts=${ts}`);
    expect(await statusOf(b, a, FEED)).toBe(401);
    expect(await at(now - 6 * 60_000)).toBe(401);
    expect(await at(now + 6 * 60_000)).toBe(401);
    expect(await at(now)).toBe(200);
  });

  it('take of each what it has signed itself, of its own', async () => {
    const [, atB] = await bothOf('frank');
    const mxid = atB.user.userId;
    const entry = (address: string): JsonObject => entryOfC({ medium: 'email', address, mxid });
    said.push(ofC({ what: 'is to come' }), ofC(entry('Not Canonical@mail.example')), ofC(entry('fine@mail.example')));
    await expect.poll(() => atB.lookUp('fine@mail.example'), SOON).toBe(mxid);
    const fine = said;
    said = [
      ...fine,
      signJson(entry('forged@mail.example'), a.name, c.server.signingKey),
      ofC(entry('behind@mail.example')),
    ];
    await new Promise((resolve) => setTimeout(resolve, 7_000));
    expect(await atB.lookUp('forged@mail.example')).toBeUndefined();
    expect(await atB.lookUp('behind@mail.example')).toBeUndefined();
    said = [...fine, ofC(entry('behind@mail.example'))];
    await expect.poll(() => atB.lookUp('behind@mail.example'), SOON).toBe(mxid);
  });

  it('find nobody by what is of a time to come, or good at another time alone, and all else behind it', async () => {
    const [, atB] = await bothOf('ivan');
    const mxid = atB.user.userId;
    const entry = (address: string, more: JsonObject): JsonObject =>
      ofC(entryOfC({ medium: 'email', address, mxid, ...more }));
    const now = Date.now();
    const DAY = 24 * 3600_000;
    said.push(
      entry('late@mail.example', { ts: now + DAY }),
      entry('early@mail.example', { not_before: now + DAY }),
      entry('over@mail.example', { not_before: now - DAY, not_after: now - 1 }),
      entry('last@mail.example', {}),
    );
    await expect.poll(() => atB.lookUp('last@mail.example'), SOON).toBe(mxid);
    const notFound = ['late@mail.example', 'early@mail.example', 'over@mail.example'];
    for (const address of notFound) {
      expect(await atB.lookUp(address)).toBeUndefined();
      const { body } = await atB.call('GET', `${V1}/lookup?${new URLSearchParams({ medium: 'email', address })}`);
      expect(body).toEqual({});
    }
    const threepids = [...notFound, 'last@mail.example'].map((address) => ['email', address]);
    const { body } = await atB.call('POST', `${V1}/bulk_lookup`, { threepids });
    expect(body).toEqual({ threepids: [['email', 'last@mail.example', mxid]] });
    await atB.bind('over@mail.example');
    expect(await atB.lookUp('over@mail.example')).toBe(mxid);
  });
}, 120_000);

/** What C says, by its key. */
const ofC = (entry: JsonObject): JsonObject => signJson(entry, c.name, c.server.signingKey);

/** From now on. */
function lasting(): JsonObject {
  const now = Date.now();
  return { ts: now, not_before: now, not_after: now + 3600_000 };
}

/** Of an association, which C has signed, too. */
function entryOfC(fields: JsonObject): JsonObject {
  const { ts = 0, ...association } = { ...lasting(), ...fields };
  return { association_id: randomUUID(), ts, association: ofC({ ...association, ts }) };
}

/** What the log of a server that is away has in its streams of associations: their names, and their facts. */
async function associationsIn(server: FederatedServer): Promise<string[]> {
  const store = await openLmdbEventStore(join(server.folder, 'log'), { readOnly: true });
  const found: string[] = [];
  for await (const page of store.readAll({ after: START }))
    for (const fact of page) if (fact.stream.includes('association-')) found.push(JSON.stringify(fact));
  await store.close();
  return found;
}

/** What one of them answers to the other, signed. */
function readFeed(by: FederatedServer, of: FederatedServer, uri: string): Promise<Response> {
  const key = findSigningKey(join(by.folder, 'keys'))!;
  const asked = { method: 'GET', uri, origin: by.name as ServerName, destination: of.name as ServerName };
  const { authorization } = signRequest(asked, key);
  return fetch(`${of.address}${uri}`, { headers: { authorization } });
}

const statusOf = async (...asked: Parameters<typeof readFeed>): Promise<number> => (await readFeed(...asked)).status;

/** What A tells B. */
const feedOfA = async (): Promise<{ readonly entries: readonly JsonObject[] }> =>
  (await readFeed(b, a, `${FEED}?ts=${Date.now()}`)).json() as Promise<{ readonly entries: readonly JsonObject[] }>;
