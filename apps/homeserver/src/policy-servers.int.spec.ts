import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import type { RoomId, ServerName } from '#kernel/ids';
import { redact } from '#protocol/redaction/redact';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { encodeBase64 } from '#protocol/signing/base64';
import { signJson } from '#protocol/signing/sign-json';
import { createSigningKey, type SigningKey } from '#protocol/signing/signing-key';
import { FakePeer } from '#testing/fake-peer';
import type { ForeignDraft } from '#testing/receiving/foreign-server';
import { FederatedServer, type FederatedUser } from '../test/federated-server.js';

const V11 = findRoomVersion('11')!;
const inPath = encodeURIComponent;

describe('a room with a policy server', { timeout: 60_000 }, () => {
  let here: FederatedServer;
  let there: FederatedServer;
  /** The policy server, with a user in its rooms, who also speaks for himself without asking it. */
  let policy: FakePeer;
  let alice: FederatedUser;
  let bob: FederatedUser;
  let eve: string;
  let key: SigningKey;
  /** What it was asked to sign. */
  let asked: JsonObject[];

  beforeAll(async () => {
    [here, there, policy] = await Promise.all([FederatedServer.start(), FederatedServer.start(), FakePeer.start()]);
    [alice, bob] = [await here.register('alice'), await there.register('bob')];
    eve = policy.server.user('eve');
    policy.on('PUT', '/_matrix/federation/v1/send/.*', () => ({ body: { pdus: {} } }));
    policy.on('POST', '/_matrix/policy/v1/sign', ({ content }) => {
      asked.push(content);
      if (isSpam(content)) return { status: 400, body: { errcode: 'M_FORBIDDEN', error: 'This looks like spam' } };
      return { body: { [policy.name]: signedBy(key, content) } };
    });
  });
  afterAll(() => Promise.all([here.stop(), there.stop(), policy.stop()]));

  const isSpam = ({ content }: JsonObject): boolean => JSON.stringify(content).includes('spam');
  const signedBy = (by: SigningKey, pdu: JsonObject): JsonObject =>
    (signJson({ ...redact(pdu, V11), signatures: {} }, policy.name, by)['signatures'] as JsonObject)[
      policy.name
    ] as JsonObject;
  const policyOf = (by: SigningKey): object => ({
    via: policy.name,
    public_keys: { ed25519: encodeBase64(by.publicKey) },
  });
  const ask = (method: 'GET' | 'PUT', path: string, content?: JsonObject) =>
    policy.ask(here.origin, {
      destination: here.name as ServerName,
      method,
      path: `/_matrix/federation${path}`,
      content,
    });

  /** An event of eve's that the policy server is not asked for: `place` is that of the template of a join. */
  async function byEve(roomId: string, draft: Partial<ForeignDraft>) {
    const { body } = await ask('GET', `/v1/make_join/${inPath(roomId)}/${inPath(eve)}?ver=11`);
    const { auth_events, prev_events, depth } = body['event'] as {
      auth_events: string[];
      prev_events: string[];
      depth: number;
    };
    const place = { auth: auth_events, prev: prev_events, depth, ts: Date.now() };
    const join = { type: 'm.room.member', sender: eve, stateKey: eve, content: { membership: 'join' } };
    return policy.server.make(V11, roomId as RoomId, { ...join, ...place, ...draft });
  }

  /** A room of alice's that bob is in, of the other server, and eve, of the policy server. */
  async function openRoom(): Promise<string> {
    key = createSigningKey(Buffer.alloc(32, 1), 'policy_server');
    asked = [];
    const { room_id: roomId } = await alice.ok('POST', '/createRoom', { preset: 'public_chat', room_version: '11' });
    await bob.ok('POST', `/join/${inPath(roomId)}?via=${inPath(here.name)}`, {});
    const join = await byEve(roomId, {});
    const path = `/v2/send_join/${inPath(roomId)}/${inPath(join.event.eventId)}`;
    expect((await ask('PUT', path, JSON.parse(join.text) as JsonObject)).status).toBe(200);
    await alice.ok('PUT', `/rooms/${inPath(roomId)}/state/m.room.policy`, policyOf(key));
    // It hears of what is said last.
    await isShown(bob, roomId, ({ type }) => type === 'm.room.policy');
    expect(asked).toEqual([]);
    return roomId;
  }

  interface Shown {
    readonly type: string;
    readonly event_id: string;
    readonly content: { readonly body?: string };
  }
  const timelineOf = async (user: FederatedUser, roomId: string): Promise<Shown[]> =>
    (await user.ok('GET', `/rooms/${inPath(roomId)}/messages?dir=b&limit=30`)).chunk;
  const isShown = (user: FederatedUser, roomId: string, is: (event: Shown) => boolean): Promise<unknown> =>
    expect.poll(async () => (await timelineOf(user, roomId)).some(is)).toBe(true);
  const say = (user: FederatedUser, roomId: string, body: string) =>
    user.call('PUT', `/rooms/${inPath(roomId)}/send/m.room.message/${body}`, { msgtype: 'm.text', body });

  it('asks it for each event of ours, in both dialects, and who receives them need not', async () => {
    const roomId = await openRoom();
    expect((await say(alice, roomId, 'hello')).status).toBe(200);
    const v1 = `/_matrix/client/api/v1/rooms/${inPath(roomId)}/send/m.room.message?access_token=${alice.token}`;
    expect((await alice.call('POST', v1, { msgtype: 'm.text', body: 'hello from 2014' })).status).toBe(200);
    expect((await alice.call('PUT', `/rooms/${inPath(roomId)}/state/m.room.topic`, { topic: 'T' })).status).toBe(200);
    await isShown(bob, roomId, ({ type }) => type === 'm.room.topic');
    expect((await timelineOf(bob, roomId)).map(({ content }) => content.body)).toEqual(
      expect.arrayContaining(['hello', 'hello from 2014']),
    );
    expect(asked.map(({ type }) => type)).toEqual(['m.room.message', 'm.room.message', 'm.room.topic']);
    expect(asked.every(({ signatures, unsigned }) => signatures !== undefined && unsigned === undefined)).toBe(true);
  });

  it('sends nothing that it refuses, and says so to the sender in its words', async () => {
    const roomId = await openRoom();
    expect(await say(alice, roomId, 'spam')).toEqual({
      status: 400,
      body: { errcode: 'M_FORBIDDEN', error: 'This looks like spam' },
    });
    expect((await say(alice, roomId, 'ham')).status).toBe(200);
    await isShown(bob, roomId, ({ content }) => content.body === 'ham');
    for (const user of [alice, bob]) {
      expect((await timelineOf(user, roomId)).map(({ content }) => content.body)).not.toContain('spam');
    }
  });

  it('asks it for what comes without its signature, and shows nobody what it refuses', async () => {
    const roomId = await openRoom();
    const send = async (body: string): Promise<void> => {
      const state: { type: string; state_key: string; event_id: string }[] = await alice.ok(
        'GET',
        `/rooms/${inPath(roomId)}/state`,
      );
      const isAuth = ({ type, state_key: stateKey }: (typeof state)[number]): boolean =>
        type === 'm.room.create' || type === 'm.room.power_levels' || stateKey === eve;
      const auth = state.filter(isAuth).map((event) => event.event_id);
      const content = { msgtype: 'm.text', body };
      const { text } = await byEve(roomId, { type: 'm.room.message', stateKey: undefined, content, auth });
      const pdus = [JSON.parse(text) as JsonObject];
      const transaction = { origin: policy.name, origin_server_ts: Date.now(), pdus };
      expect((await ask('PUT', `/v1/send/${body}`, transaction as JsonObject)).status).toBe(200);
    };
    await send('ham');
    await isShown(alice, roomId, ({ content }) => content.body === 'ham');
    expect(asked).toHaveLength(1);
    await send('spam');
    await expect.poll(() => asked).toHaveLength(2);
    await send('more');
    await isShown(alice, roomId, ({ content }) => content.body === 'more');
    expect((await timelineOf(alice, roomId)).map(({ content }) => content.body)).not.toContain('spam');
  });

  it('goes by the key that the room names, and can be taken back without asking', async () => {
    const roomId = await openRoom();
    const state = `/rooms/${inPath(roomId)}/state/m.room.policy`;
    const other = createSigningKey(Buffer.alloc(32, 2), 'policy_server');
    await alice.ok('PUT', state, policyOf(other));
    // It signs with the one that it had.
    expect(await say(alice, roomId, 'too late')).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
    key = other;
    expect((await say(alice, roomId, 'in time')).status).toBe(200);
    await isShown(bob, roomId, ({ content }) => content.body === 'in time');
    const before = asked.length;
    await alice.ok('PUT', state, {});
    expect((await say(alice, roomId, 'spam at last')).status).toBe(200);
    await isShown(bob, roomId, ({ content }) => content.body === 'spam at last');
    expect(asked).toHaveLength(before);
  });

  it('may name a server of ours that is none, and then takes nothing but another policy', async () => {
    const { room_id: roomId } = await alice.ok('POST', '/createRoom', { preset: 'public_chat', room_version: '11' });
    const state = `/rooms/${inPath(roomId)}/state/m.room.policy`;
    await alice.ok('PUT', state, {
      ...policyOf(createSigningKey(Buffer.alloc(32, 1), 'policy_server')),
      via: here.name,
    });
    expect(await say(alice, roomId, 'hello')).toMatchObject({ status: 404, body: { errcode: 'M_UNRECOGNIZED' } });
    await alice.ok('PUT', state, {});
    expect((await say(alice, roomId, 'hello')).status).toBe(200);
  });

  it('has none once nobody of it is in the room', async () => {
    const roomId = await openRoom();
    await alice.ok('POST', `/rooms/${inPath(roomId)}/kick`, { user_id: eve });
    const before = asked.length;
    expect((await say(alice, roomId, 'spam')).status).toBe(200);
    expect(asked).toHaveLength(before);
  });
});
