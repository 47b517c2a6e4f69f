import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RoomId, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { encodeBase64 } from '#protocol/signing/base64';
import { signEvent } from '#protocol/signing/sign-event';
import { signJson } from '#protocol/signing/sign-json';
import { createSigningKey } from '#protocol/signing/signing-key';
import { FakePeer } from '#testing/fake-peer';
import type { ForeignDraft, ForeignPdu } from '#testing/receiving/foreign-server';
import { FederatedServer, type FederatedUser } from '../test/federated-server.js';

const V11 = findRoomVersion('11')!;
const inPath = encodeURIComponent;

/** A server that says what it likes: nothing that it says may do more than it has a right to. */
describe('a server that keeps to no rules', { timeout: 60_000 }, () => {
  let server: FederatedServer;
  let peer: FakePeer;
  let alice: FederatedUser;
  let eve: string;

  beforeAll(async () => {
    server = await FederatedServer.start({ ANNALS_IDENTITY_PRIVATE_SERVERS: 'localhost' });
    peer = await FakePeer.start();
    alice = await server.register('alice');
    eve = peer.server.user('eve');
  }, 60_000);
  afterAll(() => Promise.all([server.stop(), peer.stop()]));

  const ask = (method: 'GET' | 'PUT', path: string, content?: object) =>
    peer.ask(server.origin, {
      destination: server.name as ServerName,
      method,
      path: `/_matrix/federation${path}`,
      content: content as JsonObject | undefined,
    });
  const open = async (more: object = {}): Promise<string> =>
    (await alice.ok('POST', '/createRoom', { preset: 'public_chat', room_version: '11', ...more })).room_id;
  const makeJoin = (roomId: string, userId = eve, query = '?ver=11') =>
    ask('GET', `/v1/make_join/${inPath(roomId)}/${inPath(userId)}${query}`);
  /** The join of a template with other keys, signed. */
  const joinOf = async (roomId: string, other: Partial<ForeignDraft> = {}): Promise<ForeignPdu> => {
    const { body } = await makeJoin(roomId);
    const { auth_events, prev_events, depth } = body['event'] as {
      auth_events: string[];
      prev_events: string[];
      depth: number;
    };
    const draft = { type: 'm.room.member', sender: eve, stateKey: eve, content: { membership: 'join' } };
    const place = { auth: auth_events, prev: prev_events, depth, ts: Date.now() };
    return peer.server.make(V11, roomId as RoomId, { ...draft, ...place, ...other });
  };
  const sendJoin = (roomId: string, { event, text }: ForeignPdu, eventId: string = event.eventId) =>
    ask('PUT', `/v2/send_join/${inPath(roomId)}/${inPath(eventId)}`, JSON.parse(text) as object);
  const membersOf = async (roomId: string): Promise<string[]> =>
    (await alice.ok('GET', `/rooms/${inPath(roomId)}/members`)).chunk.map(
      (event: Record<string, string>) => event['state_key'],
    );

  it('is made a join of its own users alone, in a version that it knows, of a room that somebody here is in', async () => {
    const roomId = await open();
    expect(await makeJoin(roomId, '@other:elsewhere.example')).toMatchObject({ status: 403 });
    const old = await makeJoin(roomId, eve, '?ver=1&ver=10');
    expect(old).toMatchObject({ status: 400, body: { errcode: 'M_INCOMPATIBLE_ROOM_VERSION', room_version: '11' } });
    expect(await makeJoin(roomId, eve, '')).toMatchObject({ body: { errcode: 'M_INCOMPATIBLE_ROOM_VERSION' } });
    expect(await makeJoin('!none:elsewhere.example')).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
    const { body } = await makeJoin(roomId);
    expect(body).toMatchObject({ room_version: '11', event: { sender: eve, state_key: eve, room_id: roomId } });
    expect(body['event']).not.toHaveProperty('signatures');
  });

  it.each(['make_join', 'make_knock'])(
    'does not learn by %s which version a room is of that its users may not be in',
    async (step) => {
      const roomId = await open({ preset: 'private_chat' });
      for (const query of ['', '?ver=1', '?ver=11']) {
        const { status, body } = await ask('GET', `/v1/${step}/${inPath(roomId)}/${inPath(eve)}${query}`);
        expect({ status, ...body }).toEqual({ status: 403, errcode: 'M_FORBIDDEN', error: expect.any(String) });
      }
    },
  );

  it('joins and leaves by version 1 too, which v1.18 has no more, and is answered as it was', async () => {
    const roomId = await open();
    const join = await joinOf(roomId);
    const at = (step: string, { event }: ForeignPdu): string =>
      `/v1/${step}/${inPath(roomId)}/${inPath(event.eventId)}`;
    const joined = await ask('PUT', at('send_join', join), JSON.parse(join.text) as object);
    expect(joined.body['list']).toMatchObject([
      200,
      { origin: server.name, state: expect.any(Array), auth_chain: expect.any(Array) },
    ]);
    expect(await membersOf(roomId)).toContain(eve);
    const { body } = await ask('GET', `/v1/make_leave/${inPath(roomId)}/${inPath(eve)}`);
    const {
      auth_events: auth,
      prev_events: prev,
      depth,
    } = body['event'] as {
      auth_events: string[];
      prev_events: string[];
      depth: number;
    };
    const leave = peer.server.make(V11, roomId as RoomId, {
      type: 'm.room.member',
      sender: eve,
      stateKey: eve,
      content: { membership: 'leave' },
      auth,
      prev,
      depth,
      ts: Date.now(),
    });
    const left = await ask('PUT', at('send_leave', leave), JSON.parse(leave.text) as object);
    expect(left.body).toEqual({ list: [200, {}] });
    const { chunk } = await alice.ok('GET', `/rooms/${inPath(roomId)}/members?membership=leave`);
    expect(chunk).toHaveLength(1);
  });

  it('gets nothing in by a join that is none', async () => {
    const roomId = await open();
    const wrong: readonly Partial<ForeignDraft>[] = [
      { content: { membership: 'leave' } },
      { content: { membership: 'ban' }, stateKey: alice.userId },
      { type: 'm.room.power_levels', stateKey: '', content: { users: { [eve]: 100 } } },
      { stateKey: peer.server.user('other') },
      { sender: alice.userId, stateKey: alice.userId },
      { prev: ['$nowhere'] },
    ];
    for (const other of wrong) {
      const { status } = await sendJoin(roomId, await joinOf(roomId, other));
      expect([other, status >= 400 && status < 500]).toEqual([other, true]);
    }
    const join = await joinOf(roomId);
    expect(await sendJoin(roomId, join, '$another')).toMatchObject({ status: 400 });
    const elsewhere = { ...join, text: join.text.replace(roomId, '!other:elsewhere.example') };
    expect((await sendJoin(roomId, elsewhere)).status).toBe(400);
    const altered = { ...join, text: join.text.replace('"membership":"join"', '"membership":"join","a":1') };
    expect((await sendJoin(roomId, altered)).status).toBe(400);
    const [signature = ''] = /"ed25519:k\d+":"[^"]+"/.exec(join.text) ?? [];
    const forged = {
      ...join,
      text: join.text.replace(signature, signature.replace(/"[^"]{20}/, `"${'A'.repeat(20)}`)),
    };
    expect((await sendJoin(roomId, forged)).status).toBe(403);
    expect(await membersOf(roomId)).toEqual([alice.userId]);
    // The same event, as it was signed, is fine, and again.
    for (let n = 0; n < 2; n++) {
      const { status, body } = await sendJoin(roomId, join);
      expect(status).toBe(200);
      expect((body['state'] as unknown[]).length).toBeGreaterThan(4);
    }
    expect(await membersOf(roomId)).toEqual([alice.userId, eve]);
  });

  it('is let into no restricted room by a word of ours that it made up', async () => {
    const space = await open();
    const allow = [{ type: 'm.room_membership', room_id: space }];
    const rules = { type: 'm.room.join_rules', content: { join_rule: 'restricted', allow } };
    const roomId = await open({ initial_state: [rules] });
    const { body } = await makeJoin(roomId);
    expect(body).toMatchObject({ errcode: 'M_FORBIDDEN' });
    const more = {
      join_rule: 'restricted',
      allow: [...allow, { type: 'm.room_membership', room_id: '!far:b.example' }],
    };
    const other = await open({ initial_state: [{ type: 'm.room.join_rules', content: more }] });
    // Another server may know that room.
    expect((await makeJoin(other)).body).toMatchObject({ errcode: 'M_UNABLE_TO_AUTHORISE_JOIN' });
    const content = { membership: 'join', join_authorised_via_users_server: alice.userId };
    const events = await alice.ok('GET', `/rooms/${inPath(roomId)}/state`);
    const idOf = (type: string): string =>
      events.find((event: Record<string, string>) => event['type'] === type).event_id;
    const auth = ['m.room.create', 'm.room.power_levels', 'm.room.join_rules', 'm.room.member'].map(idOf);
    const prev = [(await alice.ok('PUT', `/rooms/${inPath(roomId)}/send/m.room.message/1`, { body: 'x' })).event_id];
    const draft = { type: 'm.room.member', sender: eve, stateKey: eve, content, auth, prev, depth: 99, ts: Date.now() };
    const join = peer.server.make(V11, roomId as RoomId, draft);
    expect(await sendJoin(roomId, join)).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
    expect(await membersOf(roomId)).toEqual([alice.userId]);
  });

  it('is told of a room without its members where it says that it can do with that', async () => {
    const tell = async (roomId: string): Promise<JsonObject> => {
      const { event, text } = await joinOf(roomId);
      const path = `/v2/send_join/${inPath(roomId)}/${inPath(event.eventId)}?omit_members=true`;
      return (await ask('PUT', path, JSON.parse(text) as object)).body;
    };
    const membersIn = ({ state }: JsonObject): unknown[] =>
      (state as JsonObject[]).flatMap(({ type, state_key: key }) => (type === 'm.room.member' ? [key] : []));
    const named = await tell(await open({ name: 'Named' }));
    expect(named).toMatchObject({ members_omitted: true, servers_in_room: expect.arrayContaining([server.name]) });
    expect(membersIn(named)).toEqual([]);
    const types = (named['auth_chain'] as JsonObject[]).map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(['m.room.create', 'm.room.member', 'm.room.power_levels']));
    // It is called by who is in it.
    expect(membersIn(await tell(await open()))).toEqual([alice.userId]);
  });

  it('has an invitation by mail made one of its user, by what an identity server has signed', async () => {
    const key = createSigningKey(Buffer.alloc(32, 3), '0');
    const roomId = await open();
    const offer = {
      display_name: 'E...',
      public_key: encodeBase64(key.publicKey),
      key_validity_url: `https://${peer.name}/_matrix/identity/v2/pubkey/isvalid`,
    };
    await alice.ok('PUT', `/rooms/${inPath(roomId)}/state/m.room.third_party_invite/abc`, offer);
    peer.on('GET', '/_matrix/identity/v2/pubkey/isvalid', () => ({ body: { valid: true } }));
    peer.on('PUT', '/_matrix/federation/v2/invite/.*', ({ content }) => ({
      body: { event: signEvent(content['event'] as JsonObject, V11, peer.name, peer.server.signingKey) },
    }));
    const exchange = (mxid: string, by = key, userId = eve) => {
      const signed = signJson({ mxid, token: 'abc', sender: alice.userId }, 'id.example', by);
      const content = { membership: 'invite', third_party_invite: { display_name: 'E...', signed } };
      const event = { type: 'm.room.member', room_id: roomId, sender: alice.userId, state_key: userId, content };
      return ask('PUT', `/v1/exchange_third_party_invite/${inPath(roomId)}`, event);
    };
    expect(await exchange(peer.server.user('other'))).toMatchObject({ status: 403 });
    expect(await exchange(eve, createSigningKey(Buffer.alloc(32, 4), '0'))).toMatchObject({ status: 403 });
    expect(await membersOf(roomId)).toEqual([alice.userId]);
    expect(await exchange(eve)).toEqual({ status: 200, body: {} });
    const invited = await alice.ok('GET', `/rooms/${inPath(roomId)}/state/m.room.member/${inPath(eve)}`);
    expect(invited).toMatchObject({ membership: 'invite', third_party_invite: { display_name: 'E...' } });
    // Who asked for it may have left since: it is the room's.
    const late = peer.server.user('late');
    const stays = await server.register('stays');
    await stays.ok('POST', `/join/${inPath(roomId)}`, {});
    await alice.ok('POST', `/rooms/${inPath(roomId)}/leave`, {});
    expect(await exchange(late, key, late)).toEqual({ status: 200, body: {} });
    const then = await stays.ok('GET', `/rooms/${inPath(roomId)}/state/m.room.member/${inPath(late)}`);
    expect(then).toMatchObject({ membership: 'invite' });
  });

  describe('that invites', () => {
    const inviteOf = (other: Partial<ForeignDraft> = {}): ForeignPdu => {
      const draft = { type: 'm.room.member', sender: eve, stateKey: alice.userId, content: { membership: 'invite' } };
      const place = { auth: ['$auth'], prev: ['$prev'], depth: 9, ts: Date.now() };
      return peer.server.make(V11, `!room:${peer.name}` as RoomId, { ...draft, ...place, ...other });
    };
    const invite = ({ event, text }: ForeignPdu, more: object = {}) =>
      ask('PUT', `/v2/invite/${inPath(event.roomId)}/${inPath(event.eventId)}`, {
        room_version: '11',
        event: JSON.parse(text) as object,
        invite_room_state: [],
        ...more,
      });
    const invited = async (): Promise<string[]> =>
      Object.keys((await alice.ok('GET', '/sync?timeout=0')).rooms?.invite ?? {});

    it('gets nothing signed but an invitation of somebody here by somebody of its own', async () => {
      const wrong: readonly Partial<ForeignDraft>[] = [
        { content: { membership: 'join' } },
        { content: { membership: 'leave' }, sender: alice.userId },
        { type: 'm.room.message' },
        { sender: alice.userId },
        { stateKey: '@carol:elsewhere.example' },
        { stateKey: `@nobody:${server.name}` },
      ];
      for (const other of wrong) {
        const { status, body } = await invite(inviteOf(other));
        expect([other, status >= 400 && status < 500, body['event']]).toEqual([other, true, undefined]);
      }
      const unknown = await invite(inviteOf(), { room_version: '99' });
      expect(unknown).toMatchObject({ status: 400, body: { errcode: 'M_INCOMPATIBLE_ROOM_VERSION' } });
      const fine = inviteOf();
      const forged = { ...fine, text: fine.text.replace(/("ed25519:k\d+":")[^"]{20}/, `$1${'A'.repeat(20)}`) };
      expect((await invite(forged)).status).toBe(403);
      expect(await invited()).toEqual([]);
    });

    it('lets nobody read what the invited may by one that it made up while nobody here was in the room', async () => {
      const visibility = { type: 'm.room.history_visibility', content: { history_visibility: 'invited' } };
      const roomId = await open({ initial_state: [visibility] });
      const bob = await server.register('bob');
      const leave = () => alice.ok('POST', `/rooms/${inPath(roomId)}/leave`, {});
      await leave();
      const forged = peer.server.make(V11, roomId as RoomId, {
        type: 'm.room.member',
        sender: eve,
        stateKey: bob.userId,
        content: { membership: 'invite' },
        auth: ['$auth'],
        prev: ['$prev'],
        depth: 9,
        ts: Date.now(),
      });
      expect((await invite(forged)).status).toBe(200);
      await alice.ok('POST', `/join/${inPath(roomId)}`, {});
      await alice.ok('PUT', `/rooms/${inPath(roomId)}/send/m.room.message/1`, { body: 'among us' });
      expect((await bob.ok('GET', '/sync?timeout=0')).rooms.invite).toHaveProperty([roomId]);
      expect((await bob.call('GET', `/rooms/${inPath(roomId)}/messages?dir=b`)).status).toBe(403);
      // The room does not know of it either.
      await alice.ok('POST', `/rooms/${inPath(roomId)}/invite`, { user_id: bob.userId });
      await alice.ok('PUT', `/rooms/${inPath(roomId)}/send/m.room.message/2`, { body: 'to the invited' });
      const { chunk } = await bob.ok('GET', `/rooms/${inPath(roomId)}/messages?dir=b`);
      const bodies = chunk.flatMap(({ content }: JsonObject) => (content as JsonObject)['body'] ?? []);
      expect(bodies).toEqual(['to the invited']);
    });

    it('has it shown with as much as may be told, and once', async () => {
      const told = [
        { type: 'm.room.create', state_key: '', sender: eve, content: {} },
        { type: 'm.room.name', state_key: '', sender: eve, content: { name: 'Trap' }, unsigned: { a: 1 } },
        { type: 'm.room.name', sender: eve },
        7,
        ...Array.from({ length: 200 }, (_, n) => ({
          type: 'x'.repeat(1000),
          state_key: String(n),
          sender: eve,
          content: {},
        })),
      ];
      const one = inviteOf();
      const { status, body } = await invite(one, { invite_room_state: told });
      expect(status).toBe(200);
      const { signatures } = body['event'] as { signatures: JsonObject };
      expect(Object.keys(signatures).toSorted()).toEqual([peer.name, server.name].toSorted());
      await invite(one, { invite_room_state: told });
      const { rooms } = await alice.ok('GET', '/sync?timeout=0');
      const { events } = rooms.invite[one.event.roomId].invite_state;
      expect(events[1]).toEqual({ type: 'm.room.name', state_key: '', sender: eve, content: { name: 'Trap' } });
      expect(events.length).toBeLessThan(60);
    });
  });

  describe('that is asked to let somebody in', () => {
    const roomId = (): string => `!trap:${peer.name}`;
    const template = (): JsonObject => ({
      type: 'm.room.member',
      room_id: roomId(),
      sender: alice.userId,
      state_key: alice.userId,
      content: { membership: 'join' },
      depth: 3,
      prev_events: ['$prev'],
      auth_events: ['$auth'],
    });
    const join = () => alice.call('POST', `/join/${inPath(roomId())}`, {});
    const sent = () => peer.calls.filter(({ path }) => path.includes('/send_join/')).length;

    it.each<[string, () => JsonObject]>([
      ['another event', () => ({ type: 'm.room.power_levels', state_key: '', content: { users: {} } })],
      ['a place that is none', () => ({ prev_events: 'no list' })],
      ['a depth that is none', () => ({ depth: -1 })],
      [
        'one of ours vouch',
        () => ({ content: { membership: 'join', join_authorised_via_users_server: alice.userId } }),
      ],
    ])('gets nothing signed by making %s', async (_, other) => {
      const before = sent();
      peer.on('GET', '/_matrix/federation/v1/make_join/.*', () => ({
        body: { room_version: '10', event: { ...template(), ...other() } },
      }));
      expect(await join()).toMatchObject({ status: 502, body: { errcode: 'M_UNKNOWN' } });
      expect(sent()).toBe(before);
    });

    it('gets nothing signed that the user says of who vouches for them', async () => {
      const event = { ...template(), content: { membership: 'join' } };
      peer.on('GET', '/_matrix/federation/v1/make_join/.*', () => ({ body: { room_version: '10', event } }));
      peer.on('PUT', '/_matrix/federation/v2/send_join/.*', () => ({ status: 403, body: { errcode: 'M_FORBIDDEN' } }));
      const content = { reason: 'me', join_authorised_via_users_server: alice.userId };
      await alice.call('POST', `/join/${inPath(roomId())}`, content);
      const last = peer.calls.findLast(({ path }) => path.includes('/send_join/'));
      expect(last?.content['content']).toMatchObject({ reason: 'me' });
      expect(last?.content['content']).not.toHaveProperty('join_authorised_via_users_server');
    });

    it('keeps nobody from asking others by a version that there is not', async () => {
      const other = await FakePeer.start(11);
      peer.on('GET', '/_matrix/federation/v1/make_join/.*', () => ({
        body: { room_version: '99', event: template() },
      }));
      const path = `/join/${inPath(roomId())}?via=${peer.name}&via=${other.name}`;
      const refused = await alice.call('POST', path, {});
      expect(other.calls.filter((call) => call.path.includes('/make_join/'))).toHaveLength(1);
      expect(refused).toMatchObject({ status: 400, body: { errcode: 'M_UNSUPPORTED_ROOM_VERSION' } });
      await other.stop();
    });

    it('brings nothing here by answers that are no room', async () => {
      peer.on('GET', '/_matrix/federation/v1/make_join/.*', () => ({
        body: { room_version: '11', event: template() },
      }));
      const create = JSON.parse(peer.server.create(V11, eve).text) as JsonObject;
      const other = JSON.parse(peer.server.create(findRoomVersion('10')!, eve).text) as JsonObject;
      for (const body of [
        {},
        { state: 7 },
        { state: [], auth_chain: [] },
        { state: [create] },
        { state: [other, 'x'] },
      ]) {
        peer.on('PUT', '/_matrix/federation/v2/send_join/.*', () => ({ body: body as JsonObject }));
        expect(await join()).toMatchObject({ status: 502 });
      }
      expect((await alice.call('GET', `/rooms/${inPath(roomId())}/state`)).status).toBe(403);
      const { joined_rooms: joined } = await alice.ok('GET', '/joined_rooms');
      expect(joined).not.toContain(roomId());
    });
  });
});
