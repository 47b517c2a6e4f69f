import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { ServerKeys } from '#rooms/server-keys';
import { emptyObject } from '#testing/empty-object';
import { TEST_AUTHOR } from '#testing/local-room';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { type DraftOn, makeOn } from '#testing/receiving/make-on';
import { keysKnownTo, MemoryRoom } from '#testing/receiving/memory-room';
import { Receiver, tellAccepted } from '#testing/receiving/receiver';
import { StableSlidingClient } from '#testing/sliding-client';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

/** What /sync tells of a room whose history forks or has gaps: other servers do that. */

const OTHER = new ForeignServer('b.example', 2);
const BOB = OTHER.user('bob');
const CAROL = OTHER.user('carol');
const HOUR = 3_600_000;
const KEYS: ServerKeys = keysKnownTo(TEST_AUTHOR, OTHER);

let app: SyncApp;
let alice: SyncUser;
let dave: SyncUser;
let roomId: RoomId;
let receiver: Receiver;
/** The room as the other server has it. */
let there: MemoryRoom;
let since: string;

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, dave] = [await app.register('alice'), await app.register('dave')];
});
afterAll(() => app.close());

beforeEach(async () => {
  roomId = (await alice.createRoom({ preset: 'public_chat', room_version: '11' })) as RoomId;
  await dave.join(roomId);
  receiver = new Receiver(app, roomId, OTHER.name, KEYS);
  await alice.setState(roomId, 'm.room.power_levels', { users: { [alice.userId]: 100, [BOB]: 50, [CAROL]: 90 } });
  there = new MemoryRoom(roomId, findRoomVersion('11')!, KEYS);
  await tellAll();
  await receiver.pdus((await made(member('join', BOB))).text);
  await receiver.pdus((await made({ ...member('join', CAROL), sender: CAROL })).text);
});

type Draft = Omit<DraftOn, 'sender'> & { readonly sender?: string };

/** Lets the other server know everything. */
const tellAll = (): Promise<void> => tellAccepted(app, roomId, there);

const member = (membership: string, of: string): Draft => ({
  type: 'm.room.member',
  stateKey: of,
  content: { membership },
});
const topic = (text: string): Draft => ({
  type: 'm.room.topic',
  stateKey: '',
  content: { topic: text },
});
const says = (body: string): Draft => ({ type: 'm.room.message', content: { body } });

/** Something that the other server's user does, and it takes for done. */
async function made(draft: Draft): Promise<ForeignPdu> {
  const pdu = await makeOn(there, OTHER, { sender: BOB, ts: Date.now(), ...draft });
  await there.receive(pdu.text);
  return pdu;
}

async function syncsSince(who: SyncUser, more: Record<string, string | boolean> = {}) {
  return (await who.sync({ since, ...more })).rooms;
}

const bodiesOf = (events: readonly { content: { body?: string } }[]): unknown[] =>
  events.flatMap(({ content: { body } }) => body ?? []);
const topicsOf = (events: readonly { type: string; content: { topic?: string } }[]): unknown[] =>
  events.flatMap(({ type, content }) => (type === 'm.room.topic' ? content.topic : []));

interface Told {
  readonly events: readonly { readonly type: string; readonly content: { topic?: string; body?: string } }[];
}

interface JoinedRoom {
  readonly state?: Told;
  readonly state_after?: Told;
  readonly timeline: Told & { readonly limited: boolean };
}

const NOTHING_NEW: JoinedRoom = { state: { events: [] }, timeline: { events: [], limited: false } };

/** What an answer tells of the room; undefined where nothing is new. */
function joined(answer: Awaited<ReturnType<SyncUser['sync']>>): JoinedRoom | undefined {
  return answer.rooms?.join?.[roomId];
}

/** Much happens elsewhere of which this server only hears the last, and what the state before it is. */
async function missesMuch(): Promise<readonly ForeignPdu[]> {
  const missed = [await made(topic('of the gap')), await made(says('missed'))];
  const state = [...there.state.entries()].map(({ eventId }) => eventId as EventId);
  const last = await made(says('after the gap'));
  since = (await alice.sync()).next_batch;
  await alice.send(roomId, 'meanwhile');
  await receiver.pdus(last.text);
  await receiver.outliers(missed[0]!.text);
  await receiver.state(last.event.eventId, state);
  return missed;
}

describe('a gap in the history', () => {
  it('limits the timeline, so that clients ask for what is missing, and tells the state that came with it', async () => {
    await missesMuch();
    for (const what of ['state', 'state_after']) {
      const room = (await syncsSince(alice, { use_state_after: what === 'state_after' })).join[roomId];
      expect(bodiesOf(room.timeline.events)).toEqual(['after the gap']);
      expect(room.timeline.limited).toBe(true);
      expect(topicsOf(room[what].events)).toEqual(['of the gap']);
    }
    const first = (await alice.sync()).rooms.join[roomId];
    expect(first.timeline.limited).toBe(true);
    expect(bodiesOf(first.timeline.events)).toEqual(['after the gap']);
    expect(topicsOf(first.state.events)).toEqual(['of the gap']);
  });

  it('limits it also before what stands on a soft-failed event behind it', async () => {
    await alice.ok('POST', `${roomPath(roomId)}/kick`, { user_id: BOB });
    await made({ ...says('missed'), sender: CAROL });
    const state = [...there.state.entries()].map(({ eventId }) => eventId as EventId);
    const first = await made(says('behind the gap'));
    const last = await made({ ...says('on that'), sender: CAROL });
    since = (await alice.sync()).next_batch;
    await alice.send(roomId, 'meanwhile');
    await receiver.pdus(first.text);
    const { received } = await receiver.state(first.event.eventId, state);
    expect(received).toMatchObject([{ kind: 'soft-failed' }]);
    await receiver.pdus(last.text);
    for (const room of [(await syncsSince(alice)).join[roomId], (await alice.sync()).rooms.join[roomId]]) {
      expect(bodiesOf(room.timeline.events)).toEqual(['on that']);
      expect(room.timeline.limited).toBe(true);
    }
  });

  it('limits it also where what was missing has come since, which is news to nobody', async () => {
    const missed = await missesMuch();
    await receiver.pdus(...missed.map(({ text }) => text));
    const { timeline } = (await syncsSince(alice)).join[roomId];
    expect(timeline.limited).toBe(true);
    const { chunk } = await alice.ok(
      'GET',
      `${roomPath(roomId)}/messages?dir=b&limit=5&from=${encodeURIComponent(timeline.prev_batch)}`,
    );
    expect(bodiesOf(chunk)).toEqual(expect.arrayContaining(['missed', 'meanwhile']));
  });
});

describe('who was put out in a gap', () => {
  /** Dave is banned in a gap, and then the topic is changed; both are told with the state after it. */
  async function bannedInGap(): Promise<void> {
    await alice.setState(roomId, 'm.room.topic', { topic: 'of before' });
    await tellAll();
    since = (await dave.sync()).next_batch;
    const ban = await made({ ...member('ban', dave.userId), sender: CAROL });
    const secret = [
      await made(topic('behind his back')),
      await made({ type: 'm.room.name', stateKey: '', content: { name: 'New' } }),
    ];
    const state = [...there.state.entries()].map(({ eventId }) => eventId as EventId);
    const last = await made(says('after the gap'));
    await receiver.pdus(last.text);
    await receiver.outliers(ban.text, ...secret.map(({ text }) => text));
    await receiver.state(last.event.eventId, state);
  }

  it('is told the state before it with their own end, and nothing that may have come after that', async () => {
    await bannedInGap();
    const path = roomPath(roomId);
    const told = [
      await dave.ok('GET', `${path}/state`),
      (await dave.ok('GET', `${path}/initialSync`)).state,
      (await dave.sync({ filter: { room: { include_leave: true } } })).rooms.leave[roomId].state.events,
      (await dave.sync({ use_state_after: true, filter: { room: { include_leave: true } } })).rooms.leave[roomId]
        .state_after.events,
      (await syncsSince(dave, { use_state_after: true })).leave[roomId].state_after.events,
      (await syncsSince(dave)).leave[roomId].state.events,
    ];
    expect(told.map((events) => JSON.stringify(events)).filter((text) => /behind his back|New/.test(text))).toEqual([]);
    expect((await dave.call('GET', `${path}/state/m.room.name`)).status).toBe(404);
    expect(await dave.ok('GET', `${path}/state/m.room.topic`)).toMatchObject({ topic: 'of before' });
    expect(await dave.ok('GET', `${path}/state/m.room.member/${dave.userId}`)).toEqual({ membership: 'ban' });
    const { chunk: banned } = await dave.ok('GET', `${path}/members?membership=ban`);
    expect(banned).toHaveLength(1);
    expect((await dave.call('GET', `${path}/event/${encodeURIComponent(banned[0].event_id)}`)).status).toBe(200);
  });
});

describe('who is put out by an event of a fork that says nothing of them', () => {
  it('is not told by a timeline what that changed besides: it is no state that they may see', async () => {
    await tellAll();
    const prev = there.extremities.map(({ eventId }) => eventId);
    since = (await dave.sync()).next_batch;
    await dave.leave(roomId);
    await dave.join(roomId);
    // By which Dave could not have come back, had it been so when he did.
    await alice.setState(roomId, 'm.room.join_rules', { join_rule: 'invite' });
    await tellAll();
    await receiver.pdus((await made({ ...topic('of the fork'), prev })).text);
    expect((await dave.ok('GET', '/joined_rooms')).joined_rooms).not.toContain(roomId);
    expect((await dave.call('GET', `${roomPath(roomId)}/state/m.room.topic`)).status).toBe(404);
    const filter = { room: { include_leave: true } };
    for (const answer of [await dave.sync({ filter }), await dave.sync({ filter, since })]) {
      const { state, timeline } = answer.rooms.leave[roomId];
      expect(topicsOf([...state.events, ...timeline.events])).toEqual([]);
    }
  });
});

describe('pages of 2015', () => {
  it('lead past a gap, however little of what is around it is for the reader', async () => {
    await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'joined' });
    await alice.send(roomId, 'before');
    await alice.send(roomId, 'before too');
    await dave.leave(roomId);
    await alice.send(roomId, 'hidden');
    await tellAll();
    await missesMuch();
    await alice.send(roomId, 'hidden too');
    await dave.join(roomId);
    await alice.send(roomId, 'now');
    const read = async (from: string, to: string): Promise<string[]> => {
      const found: string[] = [];
      for (let at = from; ;) {
        const path = `${roomPath(roomId)}/messages?from=${encodeURIComponent(at)}&to=${to}&limit=2`;
        const { chunk, start, end } = (await dave.v1('GET', path)).body;
        found.push(...bodiesOf(chunk).map(String));
        if (start === end) return found;
        at = to === 'END' ? end : start;
      }
    };
    expect(await read('END', 'START')).toEqual(['now', 'before too', 'before']);
    expect(await read('START', 'END')).toEqual(['before', 'before too', 'now']);
  });
});

describe('a room whose extremities meet', () => {
  it('tells with use_state_after what is in force, and not an event of the timeline that lost', async () => {
    const prev = there.extremities.map(({ eventId }) => eventId);
    const [lost, won] = [topic('lost'), { ...topic('won'), ts: Date.now() + HOUR }];
    await receiver.pdus((await made({ ...won, prev })).text);
    since = (await alice.sync()).next_batch;
    await receiver.pdus((await made({ ...lost, prev })).text);
    const room = (await syncsSince(alice, { use_state_after: true })).join[roomId];
    expect(topicsOf(room.timeline.events)).toEqual(['lost']);
    expect(topicsOf(room.state_after.events)).toEqual([]);
    expect((await alice.ok('GET', `${roomPath(roomId)}/state/m.room.topic`)).topic).toBe('won');
  });

  it('tells state that is in force again, whose event came long before', async () => {
    await alice.setState(roomId, 'm.room.topic', { topic: 'of Alice' });
    await tellAll();
    const ban = await made({ ...member('ban', BOB), sender: CAROL });
    await receiver.pdus((await made({ ...topic('of Bob'), prev: ban.event.prevEvents })).text);
    since = (await alice.sync()).next_batch;
    await receiver.pdus(ban.text);
    expect((await alice.ok('GET', `${roomPath(roomId)}/state/m.room.topic`)).topic).toBe('of Alice');
    for (const what of ['state', 'state_after']) {
      const room = (await syncsSince(alice, { use_state_after: what === 'state_after' })).join[roomId];
      expect(topicsOf(room[what].events)).toEqual(['of Alice']);
    }
  });

  it('says of state that is in force again what redacted it, as GET of the event does', async () => {
    const eventId = await alice.setState(roomId, 'm.room.topic', { topic: 'bad words' });
    const path = `${roomPath(roomId)}/redact/${encodeURIComponent(eventId)}/1`;
    const { event_id: redaction } = await alice.ok('PUT', path, {});
    await tellAll();
    const ban = await made({ ...member('ban', BOB), sender: CAROL });
    await receiver.pdus((await made({ ...topic('of Bob'), prev: ban.event.prevEvents })).text);
    await receiver.pdus(ban.text);
    const event = await alice.ok('GET', `${roomPath(roomId)}/event/${encodeURIComponent(eventId)}`);
    const state = await alice.ok('GET', `${roomPath(roomId)}/state/m.room.topic?format=event`);
    for (const one of [event, state]) {
      expect(one).toMatchObject({
        event_id: eventId,
        content: emptyObject(),
        unsigned: { redacted_because: { event_id: redaction } },
      });
    }
  });

  it('says of state that is in force again what was before it and what the reader was then, as GET of the event does', async () => {
    await alice.setState(roomId, 'm.room.topic', { topic: 'first' });
    const eventId = await alice.setState(roomId, 'm.room.topic', { topic: 'of Alice' });
    const eve = await app.register(`eve${Date.now()}`);
    await eve.join(roomId);
    await tellAll();
    const ban = await made({ ...member('ban', BOB), sender: CAROL });
    await receiver.pdus((await made({ ...topic('of Bob'), prev: ban.event.prevEvents })).text);
    await receiver.pdus(ban.text);
    const told = (path: string): Promise<Record<string, unknown>> => eve.ok('GET', `${roomPath(roomId)}${path}`);
    const event = await told(`/event/${encodeURIComponent(eventId)}`);
    const state = await told('/state/m.room.topic?format=event');
    const all = (await eve.ok('GET', `${roomPath(roomId)}/state`)).find(
      ({ event_id: id }: { event_id: string }) => id === eventId,
    );
    for (const one of [event, state, all]) {
      expect(one).toMatchObject({
        event_id: eventId,
        unsigned: { prev_content: { topic: 'first' }, membership: 'leave' },
      });
    }
  });

  it('tells who came in that they are there, though an event of a fork, which they may not see, says otherwise', async () => {
    await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'joined' });
    await tellAll();
    const erin = await app.register(`erin${Date.now()}`);
    await erin.join(roomId);
    await receiver.pdus((await made(topic('of the fork'))).text);
    await receiver.pdus((await made(member('leave', erin.userId))).text);
    await alice.send(roomId, 'welcome');
    for (const limit of [1, 2, 3, 20]) {
      const { state, timeline } = (await erin.sync({ filter: { room: { timeline: { limit } } } })).rooms.join[roomId];
      const own = [...state.events, ...timeline.events].findLast(({ state_key: key }) => key === erin.userId);
      expect(own?.content.membership, `${limit}`).toBe('join');
    }
  });

  it('tells who came in later nothing of what an event of a fork replaced before they came', async () => {
    await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'joined' });
    await alice.setState(roomId, 'm.room.topic', { topic: 'behind closed doors' });
    await tellAll();
    const prev = there.extremities.map(({ eventId }) => eventId);
    await alice.setState(roomId, 'm.room.name', { name: 'what the fork does not know' });
    await receiver.pdus((await made({ ...topic('of the fork'), prev })).text);
    const erin = await app.register(`erin${Date.now()}`);
    await erin.join(roomId);
    for (const limit of [1, 2, 3, 4, 20]) {
      const room = (await erin.sync({ filter: { room: { timeline: { limit } } } })).rooms.join[roomId];
      expect(topicsOf([...room.state.events, ...room.timeline.events]), `${limit}`).toEqual(['of the fork']);
    }
  });

  it('tells who is in it again that they are, though the event was about another, and wakes them', async () => {
    await tellAll();
    const ban = await made({ ...member('ban', BOB), sender: CAROL });
    await receiver.pdus((await made({ ...member('leave', dave.userId), prev: ban.event.prevEvents })).text);
    since = (await dave.sync()).next_batch;
    const waiting = syncsSince(dave, { timeout: '5000' });
    await receiver.pdus(ban.text);
    expect(Object.keys((await waiting)?.join ?? {})).toEqual([roomId]);
    const { membership } = await alice.ok('GET', `${roomPath(roomId)}/state/m.room.member/${dave.userId}`);
    expect(membership).toBe('join');
    expect(Object.keys((await dave.sync()).rooms.join)).toContain(roomId);
  });
});

describe('state that another event replaced without coming later', () => {
  const HOWS = [1, 2, 3, 4, 20].flatMap((limit) =>
    [false, true].map((use_state_after) => ({ use_state_after, filter: { room: { timeline: { limit } } } })),
  );

  /** What clients take for the topic by an answer, where they had another one before. */
  function topicBy(room: JoinedRoom | undefined, before?: string): unknown {
    const { state, state_after, timeline } = room ?? NOTHING_NEW;
    const told = [...(state_after ?? state)!.events, ...(state_after === undefined ? timeline.events : [])];
    return topicsOf(told).at(-1) ?? before;
  }

  /** Bob sets a topic beside his own later leave, both come, and Carol says something that stands on both. */
  async function bringBack(): Promise<void> {
    const prev = there.extremities.map(({ eventId }) => eventId);
    const left = await made({ ...member('leave', BOB), ts: Date.now() + 2 * HOUR });
    const aside = await made({ ...topic('of Bob'), ts: Date.now() + HOUR, prev });
    const { received } = await receiver.pdus(left.text, aside.text);
    expect(received).toMatchObject([{ kind: 'accepted' }, { kind: 'soft-failed' }]);
    const both = [left.event.eventId, aside.event.eventId];
    await receiver.pdus((await made({ ...says('on both'), sender: CAROL, prev: both })).text);
  }

  it('is not the last word where what replaced it was never news', async () => {
    const early = (await alice.sync()).next_batch;
    await alice.setState(roomId, 'm.room.topic', { topic: 'of Alice' });
    await alice.send(roomId, 'before');
    const late = (await alice.sync()).next_batch;
    await tellAll();
    await bringBack();
    expect((await alice.ok('GET', `${roomPath(roomId)}/state/m.room.topic`)).topic).toBe('of Bob');
    for (const how of HOWS) {
      const rooms = [await alice.sync(how), await alice.sync({ ...how, since: early })].map(joined);
      expect(
        rooms.map((room) => topicBy(room)),
        JSON.stringify(how),
      ).toEqual(['of Bob', 'of Bob']);
      expect(topicBy(joined(await alice.sync({ ...how, since: late })), 'of Alice')).toBe('of Bob');
    }
  });

  it('is not the last word where what was before it is in force again, in one answer or in two; and no message goes with it', async () => {
    await alice.setState(roomId, 'm.room.topic', { topic: 'of Alice' });
    await tellAll();
    const early = (await alice.sync()).next_batch;
    const ban = await made({ ...member('ban', BOB), sender: CAROL });
    await receiver.pdus((await made({ ...says('first'), sender: CAROL, prev: ban.event.prevEvents })).text);
    const ofBob = await made({ ...topic('of Bob'), prev: ban.event.prevEvents });
    await receiver.pdus(ofBob.text);
    const between = await alice.sync({ since: early });
    expect(topicBy(joined(between))).toBe('of Bob');
    await alice.send(roomId, 'second');
    await receiver.pdus(ban.text);
    for (const how of HOWS) {
      const rooms = [await alice.sync(how), await alice.sync({ ...how, since: between.next_batch })].map(joined);
      expect(
        rooms.map((room) => topicBy(room)),
        JSON.stringify(how),
      ).toEqual(['of Alice', 'of Alice']);
      expect(topicBy(joined(await alice.sync({ ...how, since: early })), 'of Alice')).toBe('of Alice');
    }
    const { timeline } = joined(await alice.sync({ since: early }))!;
    expect([bodiesOf(timeline.events), topicsOf(timeline.events), timeline.limited]).toEqual([
      ['first', 'second'],
      [],
      false,
    ]);
    const { chunk } = await alice.ok('GET', `${roomPath(roomId)}/messages?dir=b&limit=5`);
    expect(topicsOf(chunk)).toContain('of Bob');
  });

  it.each(['m.room.name', 'm.room.topic'])(
    'is told where no event is shown to who hears of no state but what the room is called: %s',
    async (type) => {
      const ignoring = (ignored_users: object): Promise<unknown> =>
        alice.ok('PUT', `/user/${alice.userId}/account_data/m.ignored_user_list`, { ignored_users });
      await ignoring({ [CAROL]: {} });
      const client = new StableSlidingClient(alice, type);
      const wanted = { lists: { all: { range: [0, 9], required_state: {}, timeline_limit: 9 } } };
      const prev = there.extremities.map(({ eventId }) => eventId);
      const left = await made({ ...member('leave', BOB), ts: Date.now() + 2 * HOUR });
      const content = { name: 'of Bob', topic: 'of Bob' };
      const aside = await made({ type, stateKey: '', content, ts: Date.now() + HOUR, prev });
      await receiver.pdus(left.text, aside.text);
      const filter = { room: { state: { types: [] } } };
      const { next_batch } = await alice.sync({ filter });
      expect((await client.next(wanted)).rooms[roomId]).not.toHaveProperty('name');
      const both = [left.event.eventId, aside.event.eventId];
      await receiver.pdus((await made({ ...says('on both'), sender: CAROL, prev: both })).text);
      const { rooms } = await client.next(wanted);
      const room = joined(await alice.sync({ since: next_batch, filter }));
      if (type === 'm.room.topic') expect([rooms, room]).toEqual([{}, undefined]);
      else {
        expect(rooms[roomId]).toMatchObject({ name: 'of Bob', joined_count: 3, timeline: [] });
        expect(room).toMatchObject({ summary: { 'm.joined_member_count': 3 }, timeline: { events: [] } });
      }
      await ignoring({});
    },
  );

  it('is no news where it lost when it came', async () => {
    const prev = there.extremities.map(({ eventId }) => eventId);
    await receiver.pdus((await made({ ...topic('won'), ts: Date.now() + HOUR, prev })).text);
    const { next_batch } = await alice.sync();
    await receiver.pdus((await made({ ...topic('lost'), prev })).text);
    expect(joined(await alice.sync({ since: next_batch }))).toBeUndefined();
    for (const how of HOWS) expect(topicBy(joined(await alice.sync(how)))).toBe('won');
  });

  it('is not there where resolution leaves to nothing the very key that it takes', async () => {
    const carol: string = (await alice.ok('GET', `${roomPath(roomId)}/state/m.room.member/${CAROL}?format=event`))
      .event_id;
    await alice.setState(roomId, 'm.room.join_rules', { join_rule: 'invite' });
    await tellAll();
    const early = (await alice.sync()).next_batch;
    // Each of her joins is in conflict with the other, and by the join rule of now neither is allowed.
    const prev = there.known.get(carol as EventId)!.event.prevEvents;
    const again = await made({ ...member('join', CAROL), sender: CAROL, ts: Date.now() + 1, prev });
    expect((await receiver.pdus(again.text)).received).toMatchObject([{ kind: 'accepted' }]);
    expect((await alice.call('GET', `${roomPath(roomId)}/state/m.room.member/${CAROL}`)).status).toBe(404);
    for (const how of HOWS) {
      for (const answer of [await alice.sync(how), await alice.sync({ ...how, since: early })]) {
        const { state, state_after, timeline } = joined(answer) ?? NOTHING_NEW;
        const told = [...(state_after ?? state)!.events, ...(state_after === undefined ? timeline.events : [])];
        expect(JSON.stringify(told), JSON.stringify(how)).not.toContain(again.event.eventId);
      }
    }
  });

  it('is not there where nothing is left of it', async () => {
    const early = (await alice.sync()).next_batch;
    const ban = await made({ ...member('ban', BOB), sender: CAROL });
    await receiver.pdus((await made({ ...topic('of Bob'), prev: ban.event.prevEvents })).text);
    await receiver.pdus(ban.text);
    await alice.send(roomId, 'after it');
    expect((await alice.call('GET', `${roomPath(roomId)}/state/m.room.topic`)).status).toBe(404);
    for (const how of HOWS) {
      const rooms = [await alice.sync(how), await alice.sync({ ...how, since: early })].map(joined);
      expect(
        rooms.map((room) => topicBy(room)),
        JSON.stringify(how),
      ).toEqual([undefined, undefined]);
    }
  });

  describe('is said to be gone in the shape of MSC4186', () => {
    const asking = (timeline_limit: number, required_state: object): object => ({
      lists: { all: { range: [0, 9], timeline_limit, required_state } },
    });
    const all = { include: [{}] };
    const lazy = { include: [], lazy_members: true };

    it('also to who is told all anew or has left', async () => {
      const ban = await made({ ...member('ban', BOB), sender: CAROL });
      await receiver.pdus((await made({ ...topic('of Bob'), prev: ban.event.prevEvents })).text);
      const [grows, leaves] = [new StableSlidingClient(alice), new StableSlidingClient(dave)];
      for (const client of [grows, leaves]) await client.next(asking(1, all));
      await receiver.pdus(ban.text);
      await dave.leave(roomId);
      expect((await alice.call('GET', `${roomPath(roomId)}/state/m.room.topic`)).status).toBe(404);
      const gone = { type: 'm.room.topic', state_key: '' };
      expect((await grows.next(asking(5, all))).rooms[roomId].required_state).toContainEqual(gone);
      expect((await leaves.next(asking(1, all))).rooms[roomId]).toMatchObject({
        membership: 'leave',
        required_state: expect.arrayContaining([gone]),
      });
    });

    it('of a member, where those are told as they are needed', async () => {
      const { event_id: carol } = await alice.ok(
        'GET',
        `${roomPath(roomId)}/state/m.room.member/${CAROL}?format=event`,
      );
      await alice.setState(roomId, 'm.room.join_rules', { join_rule: 'invite' });
      await tellAll();
      const client = new StableSlidingClient(alice);
      await client.next(asking(20, lazy));
      const prev = there.known.get(carol as EventId)!.event.prevEvents;
      await receiver.pdus((await made({ ...member('join', CAROL), sender: CAROL, ts: Date.now() + 1, prev })).text);
      expect((await client.next(asking(20, lazy))).rooms[roomId].required_state).toContainEqual({
        type: 'm.room.member',
        state_key: CAROL,
      });
    });
  });
});

describe('a redaction of another server', () => {
  const redacts = (eventId: string, more: Partial<Draft> = {}): Draft => ({
    type: 'm.room.redaction',
    redacts: eventId,
    ...more,
  });
  const typesIn = (rooms: Awaited<ReturnType<typeof syncsSince>>): unknown[] =>
    (rooms?.join?.[roomId]?.timeline.events ?? []).map(({ type }: { type: string }) => type);
  const statusOf = async (eventId: string): Promise<number> =>
    (await alice.call('GET', `${roomPath(roomId)}/event/${encodeURIComponent(eventId)}`)).status;
  const pageTypes = async (): Promise<unknown[]> =>
    (await alice.ok('GET', `${roomPath(roomId)}/messages?dir=b&limit=3`)).chunk.map(
      ({ type }: { type: string }) => type,
    );

  it('is told to nobody before the event that it redacts is here, and then with what remains of that', async () => {
    const { event, text } = await made(says('regretted'));
    since = (await alice.sync()).next_batch;
    const redaction = await made(redacts(event.eventId, { prev: event.prevEvents }));
    expect((await receiver.pdus(redaction.text)).received).toMatchObject([{ kind: 'accepted' }]);
    expect(typesIn(await syncsSince(alice))).toEqual([]);
    expect(await statusOf(redaction.event.eventId)).toBe(404);
    expect(await pageTypes()).not.toContain('m.room.redaction');
    await receiver.pdus(text);
    expect(typesIn(await syncsSince(alice))).toEqual(['m.room.redaction', 'm.room.message']);
    const { unsigned, content } = await alice.ok(
      'GET',
      `${roomPath(roomId)}/event/${encodeURIComponent(event.eventId)}`,
    );
    expect([unsigned.redacted_because.event_id, content]).toEqual([redaction.event.eventId, {}]);
    expect(await statusOf(redaction.event.eventId)).toBe(200);
  });

  it('is told to nobody where it may not redact that event: clients would take the event for redacted', async () => {
    await alice.setState(roomId, 'm.room.power_levels', { users: { [alice.userId]: 100, [CAROL]: 90 } });
    const eventId = await alice.send(roomId, 'of Alice');
    await tellAll();
    since = (await alice.sync()).next_batch;
    const forbidden = await made(redacts(eventId));
    expect((await receiver.pdus(forbidden.text)).received).toMatchObject([{ kind: 'accepted' }]);
    expect(typesIn(await syncsSince(alice))).toEqual([]);
    expect(await statusOf(forbidden.event.eventId)).toBe(404);
    const allowed = await made(redacts(eventId, { sender: CAROL }));
    const again = await made(redacts(eventId, { sender: CAROL }));
    await receiver.pdus(allowed.text, again.text);
    expect(typesIn(await syncsSince(alice))).toEqual(['m.room.redaction', 'm.room.redaction']);
    expect(await statusOf(forbidden.event.eventId)).toBe(404);
  });
});

describe('a redaction of state by another server in what a limited timeline leaves out', () => {
  it('leaves what is left of it to be told, once it may redact it', async () => {
    const eventId = await alice.setState(roomId, 'm.room.topic', { topic: 'of Alice' });
    await alice.setState(roomId, 'm.room.power_levels', { users: { [alice.userId]: 100, [CAROL]: 90 } });
    await tellAll();
    const filter = JSON.stringify({ room: { timeline: { limit: 1 } } });
    since = (await alice.sync()).next_batch;
    for (const [sender, told] of [
      [BOB, []],
      [CAROL, [{ event_id: eventId, content: {} }]],
    ] as const) {
      // prettier-ignore
      const redaction = await made({ type: 'm.room.redaction', redacts: eventId, sender });
      const messages = [await made(says('one')), await made(says('two'))];
      await receiver.pdus(redaction.text, ...messages.map(({ text }) => text));
      const { state, timeline } = (await syncsSince(alice, { filter })).join[roomId];
      expect(timeline.limited).toBe(true);
      expect(state.events).toMatchObject(told);
    }
  });
});

describe('state that came into force without being news', () => {
  const eventPath = (eventId: string): string => `${roomPath(roomId)}/event/${encodeURIComponent(eventId)}`;

  /** Bob takes another name in a gap of which only the state is told; answers that event. */
  async function renamedInGap(): Promise<ForeignPdu> {
    const renamed = await made({ ...member('join', BOB), content: { membership: 'join', displayname: 'Robert' } });
    const state = [...there.state.entries()].map(({ eventId }) => eventId as EventId);
    const last = await made(says('after the gap'));
    await receiver.pdus(last.text);
    await receiver.outliers(renamed.text);
    await receiver.state(last.event.eventId, state);
    return renamed;
  }

  it('is found by its id, as what it replaced is, before its place is known and after', async () => {
    const renamed = await renamedInGap();
    const held = await alice.ok('GET', `${roomPath(roomId)}/state/m.room.member/${BOB}?format=event`);
    expect(held.event_id).toBe(renamed.event.eventId);
    expect((await alice.ok('GET', eventPath(renamed.event.eventId))).content).toEqual(held.content);
    const again = await made({ ...member('join', BOB), content: { membership: 'join', displayname: 'Bobby' } });
    await receiver.pdus(again.text);
    const { unsigned } = await alice.ok('GET', eventPath(again.event.eventId));
    expect(unsigned.prev_content).toEqual({ membership: 'join', displayname: 'Robert' });
    await receiver.pdus(renamed.text);
    expect((await alice.ok('GET', eventPath(renamed.event.eventId))).content).toEqual(held.content);
  });

  it('is found by who was there when it came, whatever the history shows to others', async () => {
    await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'joined' });
    await tellAll();
    const { eventId } = (await renamedInGap()).event;
    const erin = await app.register(`erin${Date.now()}`);
    await erin.join(roomId);
    await dave.leave(roomId);
    const shown = [alice, dave, erin].map(async (who) => (await who.call('GET', eventPath(eventId))).status);
    expect(await Promise.all(shown)).toEqual([200, 200, 404]);
    await alice.ok('PUT', `${roomPath(roomId)}/redact/${encodeURIComponent(eventId)}/t${eventId}`, {});
  });

  it('can be redacted, and is that event then and not the one that brought it', async () => {
    const renamed = await renamedInGap();
    const { eventId } = renamed.event;
    await alice.ok('PUT', `${roomPath(roomId)}/redact/${encodeURIComponent(eventId)}/t${eventId}`, {});
    for (const path of [eventPath(eventId), `${roomPath(roomId)}/state/m.room.member/${BOB}?format=event`]) {
      const { content, unsigned } = await alice.ok('GET', path);
      expect([content, unsigned.redacted_because?.redacts]).toEqual([{ membership: 'join' }, eventId]);
    }
    const { chunk } = await alice.ok('GET', `${roomPath(roomId)}/messages?dir=b&limit=2`);
    expect(bodiesOf(chunk)).toEqual(['after the gap']);
  });

  it('is told as it was signed to who asks for that', async () => {
    const { eventId } = (await renamedInGap()).event;
    const { rooms } = await alice.sync({ filter: { event_format: 'federation' } });
    const all = [...rooms.join[roomId].state.events, ...rooms.join[roomId].timeline.events];
    const told = all.find(({ event_id: id }: { event_id: string }) => id === eventId);
    expect([Object.keys(told.signatures), told.content.displayname]).toEqual([[OTHER.name], 'Robert']);
  });
});

describe('unread counts', () => {
  const unread = async (who: SyncUser): Promise<number> =>
    (await who.sync()).rooms.join[roomId].unread_notifications.notification_count;

  it('leave out what came while the user was out, where extremities that met took them in again', async () => {
    await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'joined' });
    await tellAll();
    const before = await unread(dave);
    const ban = await made({ ...member('ban', BOB), sender: CAROL });
    await receiver.pdus((await made({ ...member('leave', dave.userId), prev: ban.event.prevEvents })).text);
    await alice.send(roomId, 'behind the back of Dave');
    await receiver.pdus(ban.text);
    expect(await unread(dave)).toBe(before);
    await alice.send(roomId, 'to all');
    expect(await unread(dave)).toBe(before + 1);
  });

  it('leave out a redaction that nobody is shown yet', async () => {
    await dave.ok('PUT', `/pushrules/global/room/${encodeURIComponent(roomId)}`, { actions: ['notify'] });
    const before = await unread(dave);
    const { event } = await made(says('regretted'));
    const redaction = await made({ type: 'm.room.redaction', redacts: event.eventId, prev: event.prevEvents });
    await receiver.pdus(redaction.text);
    expect(await unread(dave)).toBe(before);
  });
});
