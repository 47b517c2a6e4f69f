import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { parseRoomEvent } from '#protocol/parse-room-event';
import type { RoomEvent } from '#protocol/room-event';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { FakePeer } from '#testing/fake-peer';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { makeRoomToTell, type RoomToTell } from '#testing/receiving/told-room';
import { FederatedServer, type FederatedUser } from '../test/federated-server.js';

const VERSION = findRoomVersion('11')!;
const SLOW_MS = 400;
const MEMBER = 'm.room.member';
const NOT_FOUND = { status: 404, body: { errcode: 'M_NOT_FOUND', error: 'No' } };

/** A room of a peer, which takes its time with what it is sent. */
class SlowlyHeard {
  /** What it has taken, in order. */
  readonly taken: RoomEvent[] = [];

  private constructor(
    readonly told: RoomToTell,
    readonly peer: FakePeer,
  ) {}

  static async begin(): Promise<SlowlyHeard> {
    const peer = await FakePeer.start(7);
    const told = await makeRoomToTell(
      VERSION,
      peer.server,
      new ForeignServer('unused.example', 9),
      peer.server.user('x'),
    );
    const room = new SlowlyHeard(told, peer);
    peer.on('GET', '/_matrix/federation/v1/make_join/([^/]+)/([^/]+)', ({ parts: [, userId = ''] }) => ({
      body: { room_version: VERSION.id, event: room.#template(userId) },
    }));
    peer.on('PUT', '/_matrix/federation/v2/send_join/([^/]+)/([^/]+)', ({ content }) => {
      const state = [...texts(told.state), ...room.#members()];
      room.#take(content);
      return { body: { event: content, state, auth_chain: texts(told.authChain) } };
    });
    peer.on('PUT', '/_matrix/federation/v1/send/([^/]+)', async ({ content }) => {
      await delay(SLOW_MS);
      for (const pdu of content['pdus'] as JsonObject[]) room.#take(pdu);
      return { body: { pdus: {} } };
    });
    peer.on('GET', '/_matrix/federation/v1/event/([^/]+)', ({ parts: [eventId] }) => {
      const known = room.taken.find((event) => event.eventId === eventId);
      return known === undefined ? NOT_FOUND : { body: { pdus: [known.pdu] } };
    });
    return room;
  }

  #take(pdu: JsonObject): void {
    this.taken.push(parseRoomEvent(pdu, VERSION, this.told.roomId));
  }

  #template(userId: string): JsonObject {
    const { prevEvents, authEvents, depth } = this.told.join.event;
    const [last, own] = [this.taken.at(-1), this.#memberOf(userId)];
    return {
      auth_events: [...authEvents, ...(own === undefined ? [] : [own.eventId])],
      content: { membership: 'join' },
      depth: (last?.depth ?? depth) + 1,
      prev_events: last === undefined ? [...prevEvents] : [last.eventId],
      room_id: this.told.roomId,
      sender: userId,
      state_key: userId,
      type: MEMBER,
    };
  }

  #memberOf(userId: string): RoomEvent | undefined {
    return this.taken.findLast(({ type, stateKey }) => type === MEMBER && stateKey === userId);
  }

  #members(): JsonObject[] {
    const users = new Set(this.taken.flatMap(({ stateKey }) => stateKey ?? []));
    return [...users].map((userId) => this.#memberOf(userId)!.pdu);
  }
}

function texts(pdus: readonly ForeignPdu[]): JsonObject[] {
  return pdus.map(({ text }) => parseJson(text, { lenient: true }) as JsonObject);
}

let server: FederatedServer;
let room: SlowlyHeard;

beforeAll(async () => {
  server = await FederatedServer.start();
}, 60_000);
beforeEach(async () => {
  room = await SlowlyHeard.begin();
});
afterEach(() => room.peer.stop());
afterAll(() => server.stop());

it('who comes back to a room that all here have left comes behind their leaving, which another server has yet to hear of', async () => {
  const [alice, carol] = [await server.register('alice'), await server.register('carol')];
  const path = `/rooms/${encodeURIComponent(room.told.roomId)}`;
  const join = (user: FederatedUser) =>
    user.ok('POST', `/join/${encodeURIComponent(room.told.roomId)}?via=${room.peer.name}`, {});
  for (const user of [alice, carol]) await join(user);
  for (const user of [alice, carol]) await user.ok('POST', `${path}/leave`, {});
  await join(carol);
  const memberships = room.taken.map(({ stateKey, content }) => `${stateKey} ${content['membership']}`);
  expect(memberships.slice(-3)).toEqual([`${alice.userId} leave`, `${carol.userId} leave`, `${carol.userId} join`]);
  const of = (user: FederatedUser) => carol.ok('GET', `${path}/state/${MEMBER}/${encodeURIComponent(user.userId)}`);
  expect(await of(alice)).toMatchObject({ membership: 'leave' });
  expect(await of(carol)).toMatchObject({ membership: 'join' });
  expect((await alice.ok('GET', '/sync')).rooms?.join ?? {}).toEqual({});
}, 30_000);

it.each(['join', 'knock'])(
  'who says of themself that they %s a room that all here have left asks another server, for here it is as it was then',
  async (membership) => {
    const dave = await server.register(`dave-${membership}`);
    const path = `/rooms/${encodeURIComponent(room.told.roomId)}`;
    await dave.ok('POST', `/join/${encodeURIComponent(room.told.roomId)}?via=${room.peer.name}`, {});
    await dave.ok('POST', `${path}/leave`, {});
    const make = `/_matrix/federation/v1/make_${membership}/([^/]+)/([^/]+)`;
    room.peer.on('GET', make, () => ({ status: 403, body: { errcode: 'M_FORBIDDEN', error: 'Not any more' } }));
    const own = `${path}/state/${MEMBER}/${encodeURIComponent(dave.userId)}`;
    expect(await dave.call('PUT', own, { membership })).toMatchObject({
      status: 403,
      body: { errcode: 'M_FORBIDDEN' },
    });
    expect((await dave.ok('GET', '/joined_rooms')).joined_rooms).toEqual([]);
  },
  30_000,
);

it('who says of themself that they are in such a room is told by which event, once another server has let them in', async () => {
  const erin = await server.register('erin');
  const path = `/rooms/${encodeURIComponent(room.told.roomId)}`;
  await erin.ok('POST', `/join/${encodeURIComponent(room.told.roomId)}?via=${room.peer.name}`, {});
  await erin.ok('POST', `${path}/leave`, {});
  const own = `${path}/state/${MEMBER}/${encodeURIComponent(erin.userId)}`;
  const { event_id: eventId } = await erin.ok('PUT', own, { membership: 'join', 'org.example.why': 'again' });
  expect(room.taken.at(-1)).toMatchObject({ eventId, content: { membership: 'join', 'org.example.why': 'again' } });
  expect(await erin.ok('GET', own)).toMatchObject({ membership: 'join' });
}, 30_000);
