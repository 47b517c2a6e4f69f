import { beforeEach, describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { ALICE, BOB as CAROL, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { makeOn } from '#testing/receiving/make-on';
import { keysKnownTo } from '#testing/receiving/memory-room';
import { RoomElsewhere } from '#testing/receiving/room-elsewhere';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { type AuditEntry, auditRoom } from '../audit/audit-room.js';
import { peopleOf } from '../audit/people.js';
import type { PduAccepted } from '../facts/room-facts.js';
import type { ServerKeys } from '../server-keys.js';
import { ReceiveOutliers } from './receive-outliers.js';
import { ReceiveState } from './receive-state.js';
import type { Receipt } from './receiving.js';

const OTHER = new ForeignServer('b.example', 2);
const BOB = OTHER.user('bob');
/** This server, as it signs a join that another one has made. */
const OURS = new ForeignServer(TEST_AUTHOR.serverName, 7);
const KEYS: ServerKeys = keysKnownTo(TEST_AUTHOR, OTHER, OURS);

let home: RoomCommands;
let roomId: RoomId;
/** The room as the other server has it. */
let there: RoomElsewhere;

beforeEach(() => open('11'));

async function open(version: string): Promise<void> {
  home = new RoomCommands(new RoomViews(new MemoryEventStore()), TEST_AUTHOR, KEYS);
  roomId = await home.open({ room_version: version });
  await home.setState(ALICE, roomId, 'm.room.power_levels', { users: { [ALICE]: 100, [BOB]: 100 } });
  there = new RoomElsewhere(roomId, findRoomVersion(version)!, KEYS, OTHER);
  await there.hear(home);
  await receive(await there.joins());
}

const receive = (...pdus: readonly ForeignPdu[]): Promise<Receipt> => there.sends(home, ...pdus);

async function joinOf(userId: string): Promise<ForeignPdu> {
  const content = { membership: 'join' };
  return makeOn(there, OURS, { type: 'm.room.member', sender: userId, stateKey: userId, content, ts: home.now + 1 });
}

/** Takes a join that the other server let in, with the state that it tells before it. */
async function take(join: ForeignPdu, state: readonly EventId[]): Promise<string | undefined> {
  expect(await receive(join)).toMatchObject({ received: [{ kind: 'missing' }] });
  const here = new Set(home.facts(roomId).map(({ data }) => (JSON.parse(data) as PduAccepted).event_id));
  const pdus = state.filter((id) => !here.has(id)).map((id) => there.known.get(id)!.event.pdu);
  await home.execute(new ReceiveOutliers(OTHER.name, roomId, pdus));
  const told: Receipt = await home.execute(new ReceiveState(OTHER.name, roomId, join.event.eventId, state));
  return told.received[0]?.kind;
}

const stateThere = (): EventId[] => [...there.state.entries()].map(({ eventId }) => eventId);
const last = (): PduAccepted => JSON.parse(home.facts(roomId, 'pdu-accepted').at(-1)!.data) as PduAccepted;

const problems = (): string[] => home.problems(roomId);

describe('a room that nobody here was in when somebody joins it again behind a gap', () => {
  beforeEach(async () => {
    await home.setState(ALICE, roomId, 'm.room.topic', { topic: 'as it ended here' });
    await home.leave(ALICE, roomId);
    await there.hear(home);
  });

  it('goes on from the join alone, with the state that was told, also after a restart', async () => {
    await there.makes({ type: 'm.room.topic', stateKey: '', content: { topic: 'of now' } });
    await there.says('missed');
    const join = await joinOf(ALICE);
    expect(await take(join, stateThere())).toBe('accepted');
    expect(last()).toMatchObject({ anew: true, extremities: [join.event.eventId] });
    expect(await home.state(roomId, 'm.room.topic')).toEqual({ topic: 'of now' });
    await home.views.follow();
    for (const server of [home, new RoomCommands(home.views, TEST_AUTHOR, KEYS)]) {
      await server.send(ALICE, roomId);
      expect(last().extremities).toEqual([last().event_id]);
    }
    const [, said] = home
      .facts(roomId, 'pdu-accepted')
      .map(({ data }) => JSON.parse(data) as PduAccepted)
      .slice(-3);
    expect(said!.pdu['prev_events']).toEqual([join.event.eventId]);
    expect(problems()).toEqual([]);
  });

  it('lets in who was banned when it ended here, and let in again since', async () => {
    const ban = await makeOn(there, OTHER, {
      type: 'm.room.member',
      sender: BOB,
      stateKey: CAROL,
      content: { membership: 'ban' },
    });
    await there.receive(ban.text);
    await receive(ban);
    await there.makes({ type: 'm.room.member', stateKey: CAROL, content: { membership: 'leave' } });
    await there.says('missed');
    const join = await joinOf(CAROL);
    expect(await take(join, stateThere())).toBe('accepted');
    expect(await home.state(roomId, 'm.room.member', CAROL)).toEqual({ membership: 'join' });
    expect(problems()).toEqual([]);
  });

  it('keeps that others here have left, of which the server had yet to hear that tells it', async () => {
    await open('11');
    await home.join(CAROL, roomId);
    await home.leave(ALICE, roomId);
    await there.hear(home);
    await there.says('missed');
    const state = stateThere();
    const join = await joinOf(ALICE);
    home.now++;
    await home.leave(CAROL, roomId);
    const left = last().event_id;
    expect(await take(join, state)).toBe('accepted');
    expect(last().extremities).toEqual([left, join.event.eventId]);
    expect(await home.state(roomId, 'm.room.member', CAROL)).toEqual({ membership: 'leave' });
    expect(await home.state(roomId, 'm.room.member', ALICE)).toEqual({ membership: 'join' });
    expect(problems()).toEqual([]);
  });

  it('is told of as that when somebody looks into the log', async () => {
    await there.says('missed');
    const join = await joinOf(ALICE);
    await take(join, stateThere());
    const told: AuditEntry[] = [];
    const telling = { messages: false, people: peopleOf(TEST_AUTHOR.serverName) };
    for await (const entry of auditRoom(home.views.today, roomId, telling)) told.push(entry);
    const { what } = told.find(({ event_id: id, fact }) => id === join.event.eventId && fact === 'pdu-accepted')!;
    expect(what).toBe(`joined (told by ${OTHER.name}) (the room came anew with it)`);
  });

  it('is verified to have come anew only where nobody of that server was in it', async () => {
    await there.says('missed');
    const join = await joinOf(ALICE);
    await take(join, stateThere());
    const facts = home.facts(roomId);
    const isLeave = (data: string): boolean => data.includes('"membership":"leave"');
    const left = facts.filter(({ data }) => !isLeave(data));
    expect(home.problems(roomId, left)).toContain(`${join.event.eventId}: does not bring the room anew`);
  });
});

describe('a room that nobody here was in when somebody joins it again by events that do not stand on how it ended here', () => {
  it.each(['1', '11'])('goes on from the join alone in version %s', async (id) => {
    await open(id);
    await home.join(CAROL, roomId);
    await home.leave(ALICE, roomId);
    await there.hear(home);
    await home.leave(CAROL, roomId);
    const member = (membership: string): Promise<ForeignPdu> =>
      there.makes({ type: 'm.room.member', stateKey: CAROL, content: { membership } });
    // The other server has not heard of the leave as it kicks her, and lets it have no part in its room then.
    const missed = [await member('leave'), await member('invite')];
    const join = await joinOf(CAROL);
    expect(await receive(...missed, join)).toMatchObject({
      received: [{ kind: 'accepted' }, { kind: 'accepted' }, { kind: 'accepted' }],
    });
    expect(last()).toMatchObject({ anew: true, extremities: [join.event.eventId] });
    expect(await home.state(roomId, 'm.room.member', CAROL)).toEqual({ membership: 'join' });
    expect(problems()).toEqual([]);
  });

  it.each(['1', '11'])(
    'goes on from the join alone where a gap had left a ban open that was taken back since, in version %s',
    async (id) => {
      await open(id);
      await home.join(CAROL, roomId);
      await home.leave(ALICE, roomId);
      await there.hear(home);
      const ban = await there.makes({ type: 'm.room.member', stateKey: CAROL, content: { membership: 'ban' } });
      await receive(ban);
      await there.says('missed');
      const behind = await there.says('behind a gap');
      expect(await take(behind, stateThere())).toBe('accepted');
      expect(last().extremities).toEqual([ban.event.eventId, behind.event.eventId]);
      await receive(await there.makes({ type: 'm.room.member', stateKey: CAROL, content: { membership: 'leave' } }));
      const join = await joinOf(CAROL);
      expect(await receive(join)).toMatchObject({ received: [{ kind: 'accepted' }] });
      expect(last()).toMatchObject({ anew: true, extremities: [join.event.eventId] });
      expect(await home.state(roomId, 'm.room.member', CAROL)).toEqual({ membership: 'join' });
      expect(problems()).toEqual([]);
    },
  );

  it('keeps a ban of which the server had yet to hear that let another user in', async () => {
    await open('1');
    await home.join(CAROL, roomId);
    await home.leave(ALICE, roomId);
    await home.leave(CAROL, roomId);
    await there.hear(home);
    const join = await joinOf(ALICE);
    const ban = await there.makes({ type: 'm.room.member', stateKey: CAROL, content: { membership: 'ban' } });
    await receive(ban, join);
    expect(last().anew).toBeUndefined();
    expect(await home.state(roomId, 'm.room.member', CAROL)).toMatchObject({ membership: 'ban' });
    expect(await home.state(roomId, 'm.room.member', ALICE)).toEqual({ membership: 'join' });
    expect(problems()).toEqual([]);
  });

  it.each(['1', '11'])(
    'keeps that others here have left, of which the server had yet to hear that let somebody in, in version %s',
    async (id) => {
      await open(id);
      await home.leave(ALICE, roomId);
      await there.hear(home);
      const join = await joinOf(ALICE);
      await home.join(CAROL, roomId);
      home.now++;
      await home.leave(CAROL, roomId);
      const left = last().event_id;
      expect(await receive(join)).toMatchObject({ received: [{ kind: 'accepted' }] });
      expect(last().anew).toBeUndefined();
      expect(last().extremities).toEqual([left, join.event.eventId]);
      expect(await home.state(roomId, 'm.room.member', CAROL)).toEqual({ membership: 'leave' });
      await home.join(CAROL, roomId);
      const parents = JSON.stringify(last().pdu['prev_events']);
      for (const parent of [left, join.event.eventId]) expect(parents).toContain(parent);
      expect(problems()).toEqual([]);
    },
  );

  it('keeps a leave of which that server had yet to hear, and not what it knew of that user before', async () => {
    await home.join(CAROL, roomId);
    await home.leave(ALICE, roomId);
    await there.hear(home);
    const join = await joinOf(ALICE);
    home.now++;
    await home.leave(CAROL, roomId);
    expect(await receive(join)).toMatchObject({ received: [{ kind: 'accepted' }] });
    expect(last().anew).toBeUndefined();
    expect(await home.state(roomId, 'm.room.member', CAROL)).toEqual({ membership: 'leave' });
    expect(await home.state(roomId, 'm.room.member', ALICE)).toEqual({ membership: 'join' });
    expect(problems()).toEqual([]);
  });

  it('is not come back to by who was banned since the join was made', async () => {
    await home.join(CAROL, roomId);
    await home.leave(ALICE, roomId);
    await home.leave(CAROL, roomId);
    await there.hear(home);
    const join = await joinOf(CAROL);
    const ban = await there.makes({ type: 'm.room.member', stateKey: CAROL, content: { membership: 'ban' } });
    expect(await receive(ban, join)).toMatchObject({ received: [{ kind: 'accepted' }, { kind: 'soft-failed' }] });
    expect(await home.state(roomId, 'm.room.member', CAROL)).toMatchObject({ membership: 'ban' });
    expect(problems()).toEqual([]);
  });

  it('needs not come anew where the join stands on all of that', async () => {
    await home.leave(ALICE, roomId);
    await there.hear(home);
    const join = await joinOf(ALICE);
    expect(await receive(join)).toMatchObject({ received: [{ kind: 'accepted' }] });
    expect(last().anew).toBeUndefined();
    expect(problems()).toEqual([]);
  });
});

describe('a room that somebody here is in when another user joins it behind a gap', () => {
  it('keeps what stands here alone', async () => {
    await there.says('missed');
    const state = stateThere();
    const join = await joinOf(CAROL);
    await home.setState(ALICE, roomId, 'm.room.topic', { topic: 'told nowhere else' });
    const topic = last().event_id;
    expect(await take(join, state)).toBe('accepted');
    expect(last().anew).toBeUndefined();
    expect(last().extremities).toEqual([topic, join.event.eventId]);
    expect(await home.state(roomId, 'm.room.topic')).toEqual({ topic: 'told nowhere else' });
    expect(problems()).toEqual([]);
  });
});
