import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { FakePeer } from '#testing/fake-peer';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { type DraftOn, makeOn } from '#testing/receiving/make-on';
import { makeRoomToTell, type RoomToTell } from '#testing/receiving/told-room';
import { FederatedServer, type FederatedUser } from '../test/federated-server.js';

const VERSION = findRoomVersion('11')!;
const inPath = encodeURIComponent;
const LAZY = inPath(JSON.stringify({ room: { state: { lazy_load_members: true } } }));

/** A room of a peer, which leaves its members out for who joins, and tells the rest when the test lets it. */
class RoomInPart {
  /** Answers with the rest; undefined: the peer answers that it does not know. */
  isTelling = true;
  /** Whether a join is let in only by who may be told a part. */
  refusesJoins = false;
  asked = 0;
  /** Whether who made it is told as a member at first, and no other. */
  tellsMaker = true;
  /** The events that it was given to let in, each as often as it was. */
  readonly joins: string[] = [];
  /** The join event. */
  joined = '';
  /** What was sent to the peers, in order. */
  readonly sent: JsonObject[] = [];

  private constructor(
    readonly told: RoomToTell,
    readonly peer: FakePeer,
    /** A server that has members in the room, and none that is told at first. */
    readonly other: FakePeer,
  ) {}

  static async begin(peer: FakePeer, other: FakePeer, more: readonly DraftOn[] = []): Promise<RoomInPart> {
    const told = await makeRoomToTell(
      VERSION,
      peer.server,
      new ForeignServer('unused.example', 9),
      peer.server.user('x'),
      more,
    );
    const room = new RoomInPart(told, peer, other);
    const texts = (pdus: readonly ForeignPdu[]): JsonObject[] =>
      pdus.map(({ text }) => parseJson(text, { lenient: true }) as JsonObject);
    const authChain = texts(told.authChain);
    peer.on('GET', '/_matrix/federation/v1/make_join/([^/]+)/([^/]+)', ({ parts: [, userId = ''] }) => {
      const { prevEvents, authEvents, depth } = told.join.event;
      const event = {
        auth_events: [...authEvents],
        content: { membership: 'join' },
        depth,
        origin_server_ts: Date.now(),
        prev_events: [...prevEvents],
        room_id: told.roomId,
        sender: userId,
        state_key: userId,
        type: 'm.room.member',
      };
      return { body: { room_version: VERSION.id, event } };
    });
    peer.on('PUT', '/_matrix/federation/v2/send_join/([^/]+)/([^/]+)', ({ content, path, parts: [, eventId = ''] }) => {
      room.joins.push(eventId);
      room.joined = eventId;
      if (!path.endsWith('?omit_members=true') && room.refusesJoins)
        return { status: 403, body: { errcode: 'M_FORBIDDEN', error: 'No' } };
      if (!path.endsWith('?omit_members=true'))
        return { body: { event: content, state: texts(told.state), auth_chain: authChain } };
      const maker = peer.server.user('alice');
      const isMaker = ({ event }: ForeignPdu): boolean => event.stateKey === maker;
      const isLeftOut = (one: ForeignPdu): boolean =>
        one.event.type === 'm.room.member' && !(room.tellsMaker && isMaker(one));
      const state = told.state.filter((one) => !isLeftOut(one));
      const servers = { members_omitted: true, servers_in_room: [peer.name, other.name] };
      return {
        body: {
          event: content,
          state: texts(state),
          auth_chain: [...texts(told.state.filter(isMaker)), ...authChain],
          ...servers,
        },
      };
    });
    peer.on('GET', '/_matrix/federation/v1/state/([^/]+)', () => {
      room.asked++;
      if (!room.isTelling) return { status: 404, body: { errcode: 'M_NOT_FOUND', error: 'No' } };
      return { body: { pdus: texts(told.state), auth_chain: authChain } };
    });
    for (const each of [peer, other]) {
      each.on('PUT', '/_matrix/federation/v1/send/([^/]+)', ({ content }) => {
        room.sent.push({ to: each.name, pdus: content['pdus']! });
        return { body: { pdus: {} } };
      });
    }
    return room;
  }

  /** Makes an event of the room, upon the join. */
  async make(type: string, sender: string, content: JsonObject, stateKey?: string): Promise<ForeignPdu> {
    const { there } = this.told;
    const draft = { type, sender, content, ts: Date.now(), ...(stateKey === undefined ? {} : { stateKey }) };
    const { authEvents: auth, depth } = (await makeOn(there, this.peer.server, draft)).event;
    return this.peer.server.make(VERSION, there.roomId, { ...draft, prev: [this.joined], auth, depth: depth + 1 });
  }

  /** Says something in the room. */
  async say(server: FederatedServer, body: string): Promise<string> {
    const pdu = await this.make('m.room.message', this.peer.server.user('member1'), { body });
    const content = {
      origin: this.peer.name,
      origin_server_ts: 1,
      pdus: [parseJson(pdu.text, { lenient: true })],
      edus: [],
    };
    const path = `/_matrix/federation/v1/send/${pdu.event.eventId.slice(1)}`;
    const answer = await this.peer.ask(server.origin, {
      destination: server.name as never,
      method: 'PUT',
      path,
      content,
    });
    expect(answer).toEqual({ status: 200, body: { pdus: { [pdu.event.eventId]: {} } } });
    return pdu.event.eventId;
  }

  sentTo({ name }: FakePeer): string {
    return canonicalJson(this.sent.filter(({ to }) => to === name) as never);
  }
}

describe('a user who joins a room of which a part is told', { timeout: 60_000 }, () => {
  let server: FederatedServer;
  let peer: FakePeer;
  let other: FakePeer;
  let room: RoomInPart;
  let alice: FederatedUser;
  let count = 0;

  beforeAll(async () => {
    server = await FederatedServer.start();
  }, 60_000);
  afterAll(() => server.stop());

  beforeEach(async () => {
    [peer, other] = [await FakePeer.start(7), await FakePeer.start(8)];
    room = await RoomInPart.begin(peer, other);
    alice = await server.register(`alice${count++}`);
  });
  afterEach(async () => {
    for (const each of [peer, other]) await each.stop();
  });

  const path = (): string => `/rooms/${inPath(room.told.roomId)}`;
  const join = (): Promise<unknown> => alice.ok('POST', `/join/${inPath(room.told.roomId)}?via=${peer.name}`, {});
  const send = (body: string): Promise<{ event_id: string }> =>
    alice.ok('PUT', `${path()}/send/m.room.message/${body}`, { body });
  const timelineOf = (answer: Awaited<ReturnType<FederatedUser['ok']>>): string[] =>
    (answer.rooms?.join?.[room.told.roomId]?.timeline?.events ?? []).map(
      (event: { event_id: string }) => event.event_id,
    );

  it('has all of it at once where the rest comes at once', async () => {
    await join();
    const { joined } = await alice.ok('GET', `${path()}/joined_members`);
    expect(Object.keys(joined).length).toBe(7);
    expect(room.asked).toBe(1);
  });

  it('speaks there, and sees it, before the rest is here; what others say comes with that', async () => {
    room.isTelling = false;
    room.refusesJoins = true;
    await join();
    const mine = (await send('hello')).event_id;
    const first = await alice.ok('GET', `/sync?filter=${LAZY}`);
    expect(timelineOf(first)).toContain(mine);
    const state = first.rooms.join[room.told.roomId].state.events;
    expect(state.map(({ type }: { type: string }) => type)).toContain('m.room.name');
    for (const each of [peer, other]) await expect.poll(() => room.sentTo(each)).toContain('"body":"hello"');

    const theirs = await room.say(server, 'welcome');
    expect(timelineOf(await alice.ok('GET', `/sync?since=${first.next_batch}&filter=${LAZY}`))).toEqual([]);
    const bob = await server.register(`bob${count}`);
    const invited = alice.ok('POST', `${path()}/invite`, { user_id: bob.userId });
    const asked = { destination: server.name as never };
    for (const what of ['state', 'state_ids']) {
      const uri = `/_matrix/federation/v1/${what}/${inPath(room.told.roomId)}?event_id=${inPath(mine)}`;
      expect((await peer.ask(server.origin, { ...asked, path: uri })).status).toBe(404);
    }
    const make = `/_matrix/federation/v1/make_join/${inPath(room.told.roomId)}/${inPath(peer.server.user('new'))}?ver=11`;
    expect((await peer.ask(server.origin, { ...asked, path: make })).status).toBe(404);

    const members = alice.ok('GET', `${path()}/members`);
    room.isTelling = true;
    expect((await members).chunk.length).toBeGreaterThanOrEqual(7);
    await invited;
    await bob.ok('POST', `/join/${inPath(room.told.roomId)}`, {});
    await expect
      .poll(async () => timelineOf(await alice.ok('GET', `/sync?filter=${LAZY}`)))
      .toEqual(expect.arrayContaining([mine, theirs]));
    const told = await alice.ok('GET', `/sync?since=${first.next_batch}&filter=${LAZY}`);
    expect(told.rooms.join[room.told.roomId].summary['m.joined_member_count']).toBe(8);
    const uri = `/_matrix/federation/v1/state_ids/${inPath(room.told.roomId)}?event_id=${inPath(mine)}`;
    const { body } = await peer.ask(server.origin, { ...asked, path: uri });
    expect((body['pdu_ids'] as unknown[]).length).toBe(room.told.state.length + 1);
  });

  it('is told all members once they are here, where the client does not load them lazily', async () => {
    room.isTelling = false;
    room.refusesJoins = true;
    await join();
    const first = await alice.ok('GET', '/sync');
    const membersIn = (answer: typeof first): number =>
      answer.rooms.join[room.told.roomId].state.events.filter(({ type }: { type: string }) => type === 'm.room.member')
        .length;
    expect(membersIn(first)).toBeLessThan(3);
    room.isTelling = true;
    await alice.ok('GET', `${path()}/members`);
    const second = await alice.ok('GET', `/sync?since=${first.next_batch}`);
    expect(membersIn(second)).toBeGreaterThan(5);
    const third = await alice.call('GET', `/sync?since=${second.next_batch}`);
    expect(third.body.rooms?.join).toBeUndefined();
  });

  it('has the rest fetched by a server that was started again meanwhile', async () => {
    room.isTelling = false;
    room.refusesJoins = true;
    await join();
    await send('before');
    await room.say(server, 'waits');
    await server.whileAway();
    const mine = (await send('after')).event_id;
    room.isTelling = true;
    expect((await alice.ok('GET', `${path()}/members`)).chunk.length).toBe(7);
    expect(timelineOf(await alice.ok('GET', '/sync'))).toContain(mine);
  });

  it('has the rest of who let it in, with the join once more, where nobody tells the state', async () => {
    room.isTelling = false;
    await join();
    expect((await alice.ok('GET', `${path()}/members`)).chunk.length).toBe(7);
    expect(room.asked).toBeGreaterThan(0);
    expect(room.joins).toEqual([room.joined, room.joined]);
  });

  it('waits for the members wherever all of the state is asked for, and in no other place', async () => {
    room.isTelling = false;
    room.refusesJoins = true;
    await join();
    const members = inPath(peer.server.user('member1'));
    const v1 = `/_matrix/client/api/v1${path()}`;
    const context = `${path()}/context/${inPath(room.joined)}`;
    const lazily = inPath(JSON.stringify({ lazy_load_members: true }));
    await alice.ok('GET', `${context}?filter=${lazily}`);
    await alice.ok('GET', `${path()}/state/m.room.name`);
    const bob = await server.register(`bob${count}`);
    const ofMember = `state/m.room.member/${members}`;
    for (const what of ['state', 'members', 'initialSync', ofMember])
      expect((await bob.call('GET', `${path()}/${what}`)).status, what).toBe(403);
    let answered = 0;
    const whole = ['state', 'members', 'initialSync'].flatMap((what) => [`${path()}/${what}`, `${v1}/${what}`]);
    const asked = [...whole, context, `${path()}/${ofMember}`, `${v1}/${ofMember}`].map(async (uri) => {
      const answer = canonicalJson((await alice.ok('GET', uri)) as never);
      answered++;
      return [uri, answer];
    });
    await alice.ok('GET', `${context}?filter=${lazily}`);
    expect(answered).toBe(0);
    room.isTelling = true;
    for (const [uri, answer] of await Promise.all(asked)) expect(answer, uri).toContain('Member 1');
  });

  it('replaces the room once it is here, with all of its bans', async () => {
    const [maker, banned] = [peer.server.user('alice'), peer.server.user('spammer')];
    const users = { [maker]: 100, [alice.userId]: 100 };
    room = await RoomInPart.begin(peer, other, [
      { type: 'm.room.member', sender: maker, stateKey: banned, content: { membership: 'ban' } },
      { type: 'm.room.power_levels', sender: maker, stateKey: '', content: { users } },
    ]);
    room.isTelling = false;
    room.refusesJoins = true;
    await join();
    const upgraded = alice.ok('POST', `${path()}/upgrade`, { new_version: '11' });
    await alice.ok('GET', `${path()}/state/m.room.name`);
    room.isTelling = true;
    const { replacement_room: roomId } = await upgraded;
    const ban = await alice.ok('GET', `/rooms/${inPath(roomId)}/state/m.room.member/${inPath(banned)}`);
    expect(ban).toEqual({ membership: 'ban' });
  });

  it('is a member less by what is set as state, once it is here', async () => {
    const [maker, member] = [peer.server.user('alice'), peer.server.user('member1')];
    const users = { [maker]: 100, [alice.userId]: 50 };
    const powers = { type: 'm.room.power_levels', sender: maker, stateKey: '', content: { users } };
    room = await RoomInPart.begin(peer, other, [powers]);
    room.isTelling = false;
    room.refusesJoins = true;
    await join();
    const uri = `${path()}/state/m.room.member/${inPath(member)}`;
    const kicked = alice.call('PUT', uri, { membership: 'leave' });
    await alice.ok('GET', `${path()}/state/m.room.name`);
    room.isTelling = true;
    expect((await kicked).status).toBe(200);
    expect(await alice.ok('GET', uri)).toEqual({ membership: 'leave' });
  });

  it('lets others invite there who is here, before it is', async () => {
    room.isTelling = false;
    room.refusesJoins = true;
    await join();
    const bob = await server.register(`bob${count}`);
    // Who joined may have been put out again: that waits.
    for (const { userId } of [bob, alice]) {
      const sender = peer.server.user('alice');
      const invitation = await room.make('m.room.member', sender, { membership: 'invite' }, userId);
      const pdu = parseJson(invitation.text, { lenient: true });
      const answer = await peer.ask(server.origin, {
        destination: server.name as never,
        method: 'PUT',
        path: `/_matrix/federation/v2/invite/${inPath(room.told.roomId)}/${inPath(invitation.event.eventId)}`,
        content: { room_version: VERSION.id, event: pdu, invite_room_state: [] },
      });
      expect(answer.status).toBe(200);
      const event = answer.body['event'] as { signatures: JsonObject };
      expect(Object.keys(event.signatures).sort()).toEqual([peer.name, server.name].sort());
    }
    // It is sent to nobody who is not in the room.
    room.isTelling = true;
    const invited = async () => Object.keys((await bob.ok('GET', '/sync')).rooms?.invite ?? {});
    await expect.poll(invited).toEqual([room.told.roomId]);
  });

  it('leaves it to others to say who is in it, where that lets into another room', async () => {
    room.isTelling = false;
    room.refusesJoins = true;
    await join();
    const allow = [{ type: 'm.room_membership', room_id: room.told.roomId }];
    const rules = { type: 'm.room.join_rules', state_key: '', content: { join_rule: 'restricted', allow } };
    const { room_id: roomId } = await alice.ok('POST', '/createRoom', { room_version: '11', initial_state: [rules] });
    const member = inPath(peer.server.user('member1'));
    const make = `/_matrix/federation/v1/make_join/${inPath(roomId)}/${member}?ver=11`;
    const ask = () => peer.ask(server.origin, { destination: server.name as never, path: make });
    expect(await ask()).toMatchObject({ status: 400, body: { errcode: 'M_UNABLE_TO_AUTHORISE_JOIN' } });
    room.isTelling = true;
    await alice.ok('GET', `${path()}/members`);
    expect((await ask()).status).toBe(200);
  });

  it.each(['shared', 'joined'])(
    'has what they say told to the servers that are there, before it is here and then: history is visible to %s',
    async (visibility) => {
      const content = { history_visibility: visibility };
      const maker = peer.server.user('alice');
      room = await RoomInPart.begin(peer, other, [
        { type: 'm.room.history_visibility', sender: maker, stateKey: '', content },
      ]);
      room.isTelling = room.tellsMaker = false;
      room.refusesJoins = true;
      await join();
      const mine = (await send('hello')).event_id;
      const ask = async (asking: FakePeer, uri: string): Promise<string> => {
        const asked = { destination: server.name as never, path: `/_matrix/federation/v1/${uri}` };
        const { status, body } = await asking.ask(server.origin, asked);
        return `${status} ${canonicalJson(body)}`;
      };
      const backfill = `backfill/${inPath(room.told.roomId)}?v=${inPath(mine)}&limit=2`;
      const uris = [`event/${inPath(mine)}`, backfill];
      for (const uri of uris)
        for (const each of [peer, other]) expect(await ask(each, uri), uri).toContain('"body":"hello"');
      const stranger = await FakePeer.start(9);
      expect(await ask(stranger, backfill)).toContain('403');
      await stranger.stop();
      room.isTelling = true;
      await alice.ok('GET', `${path()}/members`);
      for (const uri of uris) expect(await ask(peer, uri), uri).toContain('"body":"hello"');
      expect(await ask(other, backfill)).toContain('403');
    },
  );

  it('reads what was here of a room that was left before all of it was', async () => {
    room.isTelling = false;
    room.refusesJoins = true;
    await join();
    await alice.ok('POST', `${path()}/leave`, {});
    const own = (what: string): Promise<string> =>
      alice.ok('GET', `${path()}/${what}`).then((answer) => canonicalJson(answer as never));
    for (const what of ['state', 'members', 'initialSync']) expect(await own(what), what).toContain(alice.userId);
  }, 20_000);

  it('may leave before it is here, and come back where nobody tells the state before the join of old', async () => {
    room.isTelling = false;
    room.refusesJoins = true;
    await join();
    const first = room.joined;
    await alice.ok('POST', `${path()}/leave`, {});
    await expect.poll(() => room.sentTo(other)).toContain('"membership":"leave"');
    room.refusesJoins = false;
    await join();
    expect(room.joins.filter((one) => one === first).length).toBeGreaterThan(1);
    await send('back');
    expect((await alice.ok('GET', `${path()}/joined_members`)).joined).toHaveProperty([alice.userId]);
  });

  it('may leave before it is here, and come back', async () => {
    room.isTelling = false;
    room.refusesJoins = true;
    await join();
    await alice.ok('POST', `${path()}/leave`, {});
    await expect.poll(() => room.sentTo(other)).toContain('"membership":"leave"');
    room.isTelling = true;
    peer.on('PUT', '/_matrix/federation/v2/send_join/([^/]+)/([^/]+)', ({ content }) => {
      const texts = room.told.state.map(({ text }) => parseJson(text, { lenient: true }));
      return { body: { event: content, state: texts, auth_chain: [] } };
    });
    await join();
    expect((await alice.ok('GET', `${path()}/joined_members`)).joined).toHaveProperty([alice.userId]);
    await send('back');
  });
});
