import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LogHistory } from '#event-store/log-history';
import { formatTimelinePlace, type TimelinePlace } from '#http/tokens/timeline-token';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { emptyObject } from '#testing/empty-object';
import { positionNumber, positionOf } from '#testing/position-of';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import type { ReadModelStore } from '#read-models/read-model-store';
import type { RoomEvent } from '#protocol/room-event';
import { ALICE, BOB, LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomViews } from '#testing/room-views';
import type { TimelineRow } from '../projections/timeline-row.js';
import { listStateRowsAt } from './past-state.js';
import { findEventByTime } from './find-event-by-time.js';
import type { PduAccepted } from '../facts/room-facts.js';
import { getContext } from './get-context.js';
import { getEvent, getEventAnywhere } from './get-event.js';
import { getStateRow, listStateFor } from './get-state.js';
import { joinedMembersText, listMembers } from './list-members.js';
import { listMessages, memberRowsOf, type PageRequest } from './list-messages.js';
import { listRelations, type RelationsRequest } from './list-relations.js';
import { listJoinedRooms } from './list-user-rooms.js';
import { formatStreamPlace } from '#http/tokens/stream-token';
import { NO_TYPING } from '#http/tokens/typing-mark';
import { parseTimelineBound, parseTimelineToken } from './timeline-places.js';
import { renderOne, renderStripped } from './render-event.js';
import { openRoom } from '../reading/open-room.js';
import type { Reader } from '../reading/reader.js';
import { findRoomReader } from '../reading/room-reader.js';

const STRANGER = '@stranger:a.example' as UserId;
const NOW = 1_700_000_100_000;

let directory: string;
let store: ReadModelStore;
let log: MemoryEventStore;
let views: RoomViews;
let room: LocalRoom;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'annals-room-queries-'));
  store = await openLmdbReadModels(directory);
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  for (const collection of await store.collections()) await store.drop(collection);
  log = new MemoryEventStore();
  views = new RoomViews(log, store);
  room = await LocalRoom.begin(log);
  await room.setState('m.room.join_rules', { join_rule: 'public' });
});

/** What is said, or the type of what says nothing. */
function said(rows: readonly TimelineRow[]): string[] {
  return rows.map((row) => {
    const { body } = JSON.parse(row.content) as JsonObject;
    return typeof body === 'string' ? body : row.header.type;
  });
}

async function page(userId: UserId, request: Partial<PageRequest> = {}) {
  await views.follow();
  return listMessages(await openRoom(views, room.roomId, as(userId)), { direction: 'b', limit: 100, ...request });
}

function as(userId: UserId, more: Partial<Reader> = {}): Reader {
  return { userId, ignored: new Set(), ...more };
}

function refused(errcode: string): unknown {
  return expect.objectContaining({ errcode });
}

describe('pages of messages', () => {
  it('tile a room in both directions, whatever their size', async () => {
    for (let i = 0; i < 11; i++) await room.say(`m${i}`);
    const all = (await page(ALICE)).rows.map(({ header }) => header.eventId);
    expect(all).toHaveLength(14);
    for (const limit of [1, 2, 3, 5, 13, 14, 15]) {
      for (const direction of ['b', 'f'] as const) {
        const ids: EventId[] = [];
        let from: TimelinePlace | undefined;
        do {
          const { rows, end } = await page(ALICE, { direction, limit, from });
          expect(rows.length).toBeLessThanOrEqual(limit);
          ids.push(...rows.map(({ header }) => header.eventId));
          from = end;
          if (rows.length === 0) break;
        } while (from !== undefined);
        expect(ids).toEqual(direction === 'b' ? all : all.toReversed());
      }
    }
  });

  it('end where they are told to, at either kind of token', async () => {
    await room.say('one');
    await views.follow();
    const stream = `s${positionNumber(views.position())}_0`;
    await room.say('two');
    await room.say('three');
    await views.follow();
    const to = await parseTimelineToken(views, room.roomId, stream);
    expect(said((await page(ALICE, { to })).rows)).toEqual(['three', 'two']);
    const again = await parseTimelineToken(views, room.roomId, formatTimelinePlace(views.history, to));
    expect(again).toEqual(to);
    expect(said((await page(ALICE, { direction: 'f', from: again })).rows)).toEqual(['two', 'three']);
    // Of a log that was put back to an earlier moment: the end of what there is.
    const end = await parseTimelineToken(views, room.roomId, 's9999');
    expect(await parseTimelineToken(views, room.roomId, 't9999_9999')).toEqual(end);
    await expect(parseTimelineToken(views, room.roomId, 'x1')).rejects.toEqual(refused('M_INVALID_PARAM'));
  });

  it('begin and end where both histories do at the token of a lost one, or leave nothing out', async () => {
    await room.say('both');
    await views.follow();
    const agreed = views.position();
    await room.say('new');
    await views.follow();
    // The lost history had an event at the same place and depth.
    const place = (await page(ALICE, {})).start;
    const lost = formatTimelinePlace(LogHistory.UNBROKEN, place);
    expect(await parseTimelineBound(views, room.roomId, lost, 'lower')).toEqual({ ...place, isLost: false });
    views.history = new LogHistory([{ name: '0123abcd', agreed }]);
    const from = await parseTimelineBound(views, room.roomId, lost, 'lower');
    expect(said((await page(ALICE, { direction: 'f', from })).rows)).toEqual(['new']);
    expect(await parseTimelineBound(views, room.roomId, lost, 'upper')).toBeUndefined();
    const now = formatTimelinePlace(views.history, place);
    expect(await parseTimelineBound(views, room.roomId, now, 'upper')).toEqual({ ...place, isLost: false });
  });

  it('hold nothing for a limit of nothing, and can go on there', async () => {
    await room.say('one');
    const { rows, end } = await page(ALICE, { limit: 0 });
    expect(rows).toEqual([]);
    expect(said((await page(ALICE, { from: end, limit: 1 })).rows)).toEqual(['one']);
  });

  it('pass a filter', async () => {
    await room.setMembership(BOB, 'join');
    await room.say('alice');
    await room.say('bob', BOB);
    await room.send({ type: 'm.room.message', content: { body: 'picture', url: 'mxc://a.example/x' } });
    await room.send({ type: 'org.example.x', content: { body: '{"url":"mxc"}' } });
    const list = async (filter: PageRequest['filter']) => said((await page(ALICE, { filter })).rows);
    expect(await list({ types: ['m.room.message'] })).toEqual(['picture', 'bob', 'alice']);
    expect(await list({ types: ['org.*'] })).toEqual(['{"url":"mxc"}']);
    expect(await list({ not_types: ['m.*'] })).toEqual(['{"url":"mxc"}']);
    expect(await list({ types: ['m.room.message', 'x'], senders: [BOB] })).toEqual(['bob']);
    expect(await list({ types: ['m.room.message'], not_senders: [BOB] })).toEqual(['picture', 'alice']);
    expect(await list({ contains_url: true })).toEqual(['picture']);
    expect(await list({ contains_url: false, types: ['m.room.message'] })).toEqual(['bob', 'alice']);
    expect(await list({ types: [] })).toEqual([]);
    expect(await list({ not_rooms: [room.roomId] })).toEqual([]);
    expect(await list({ rooms: ['!other:a.example'] })).toEqual([]);
  });

  it('show each reader what is theirs to see', async () => {
    await room.setState('m.room.history_visibility', { history_visibility: 'joined' });
    await room.say('before bob');
    await room.setMembership(BOB, 'join');
    await room.say('with bob');
    await room.setMembership(BOB, 'leave');
    await room.say('after bob');
    const { rows, start } = await page(BOB);
    expect(said(rows).slice(0, 3)).toEqual(['m.room.member', 'with bob', 'm.room.member']);
    expect(said(rows)).not.toContain('before bob');
    expect(start.place).toBe(rows[0]?.header.position);
    await expect(page(STRANGER)).rejects.toEqual(refused('M_FORBIDDEN'));
    await room.setState('m.room.history_visibility', { history_visibility: 'world_readable' });
    await room.say('for all');
    expect(said((await page(STRANGER)).rows)).toEqual(['for all', 'm.room.history_visibility']);
  });

  it('bring the members that wrote them', async () => {
    await room.setMembership(BOB, 'join');
    await room.say('hi', BOB);
    const { rows } = await page(ALICE, { limit: 1 });
    const members = await memberRowsOf(views, room.roomId, rows);
    expect(members.map(({ header }) => [header.type, header.stateKey])).toEqual([['m.room.member', BOB]]);
  });
});

describe('one event', () => {
  it('is found in its own room only, and only by who may see it', async () => {
    const other = await LocalRoom.begin(log, '11', 'other');
    const secret = await other.say('secret');
    await room.setMembership(BOB, 'join');
    const hello = await room.say('hello');
    await views.follow();
    expect((await getEvent(views, room.roomId, hello.eventId, as(BOB))).row.header.eventId).toBe(hello.eventId);
    expect((await getEventAnywhere(views, hello.eventId, as(BOB))).row.header.eventId).toBe(hello.eventId);
    for (const attempt of [
      getEvent(views, room.roomId, secret.eventId, as(BOB)),
      getEvent(views, other.roomId, secret.eventId, as(BOB)),
      getEvent(views, room.roomId, hello.eventId, as(STRANGER)),
      getEvent(views, room.roomId, '$unknown' as EventId, as(BOB)),
      getEventAnywhere(views, secret.eventId, as(BOB)),
    ]) {
      await expect(attempt).rejects.toEqual(refused('M_NOT_FOUND'));
    }
  });

  it('is shown between what came before and after it, with the state of that time', async () => {
    await room.setState('m.room.topic', { topic: 'old' });
    for (const body of ['a', 'b', 'c', 'd', 'e']) await room.say(body);
    await room.setState('m.room.topic', { topic: 'new' });
    await views.follow();
    const { rows } = await page(ALICE, { filter: { types: ['m.room.message'] } });
    const middle = rows[2]!.header.eventId;
    const { before, event, after, state } = await getContext(views, room.roomId, middle, as(ALICE), 3, {});
    expect([said(before), said([event]), said(after)]).toEqual([['b'], ['c'], ['d', 'e']]);
    const topic = state.find(({ header }) => header.type === 'm.room.topic');
    expect(topic === undefined ? undefined : topic.content).toBe('{"topic":"old"}');
    const lazy = await getContext(views, room.roomId, middle, as(ALICE), 0, { lazy_load_members: true });
    expect(said([...lazy.before, ...lazy.after])).toEqual([]);
    expect(lazy.state.filter(({ header }) => header.type === 'm.room.member')).toHaveLength(1);
  });

  it('is shown with the state after it where the room forks, whatever the room has made of the fork', async () => {
    const before = await room.say('before');
    const left = await room.setState('m.room.topic', { topic: 'left' });
    const right = await takeBeside(before, left, 'm.room.topic', { topic: 'right' });
    await views.follow();
    const topicAfter = async (eventId: EventId): Promise<unknown> => {
      const { state } = await getContext(views, room.roomId, eventId, as(ALICE), 0, {});
      return state.find(({ header }) => header.type === 'm.room.topic')?.content;
    };
    expect(await topicAfter(right)).toBe('{"topic":"right"}');
    expect(await topicAfter(left.eventId)).toBe('{"topic":"left"}');
    expect(await topicAfter(before.eventId)).toBeUndefined();
  });
});

/** Takes in a state event that another server sent beside `last`, on what came before that; the room goes by `last` still. */
async function takeBeside(on: RoomEvent, last: RoomEvent, type: string, content: JsonObject): Promise<EventId> {
  const eventId = '$beside' as EventId;
  const { data, metadata, revision, stream } = log.facts.at(-1)!;
  const { pdu: _, ...header } = JSON.parse(data) as PduAccepted;
  const pdu = { ...last.pdu, type, state_key: '', content, prev_events: [on.eventId], depth: on.depth + 1 };
  const beside = {
    ...header,
    event_id: eventId,
    state: [{ type, state_key: '', event_id: eventId }],
    root: '',
    extremities: [last.eventId, eventId],
    current: { state: [], root: header.root },
  };
  await log.append(stream, revision, [
    { id: randomUUID(), type: 'pdu-accepted', data: JSON.stringify({ ...beside, pdu }), metadata },
  ]);
  return eventId;
}

describe('events that relate to one', () => {
  const relate = (parent: EventId, body: string, relType = 'm.thread', type = 'm.room.message') =>
    room.send({ type, content: { body, 'm.relates_to': { event_id: parent, rel_type: relType } } });

  async function related(parent: EventId, request: Partial<RelationsRequest> = {}, userId = ALICE) {
    await views.follow();
    return listRelations(views, room.roomId, parent, as(userId), { direction: 'b', limit: 10, ...request });
  }

  it('are listed newest first, by kind of relation and type', async () => {
    const { eventId } = await room.say('parent');
    await relate(eventId, 'one');
    await relate(eventId, 'two', 'org.example');
    await room.say('unrelated');
    await relate(eventId, 'three', 'm.thread', 'org.example');
    const list = async (request: Partial<RelationsRequest>) => said((await related(eventId, request)).rows);
    expect(await list({})).toEqual(['three', 'two', 'one']);
    expect(await list({ direction: 'f' })).toEqual(['one', 'two', 'three']);
    expect(await list({ relType: 'm.thread' })).toEqual(['three', 'one']);
    expect(await list({ relType: 'm.thread', eventType: 'org.example' })).toEqual(['three']);
    expect(await list({ relType: 'm.annotation' })).toEqual([]);
  });

  it('come in pages that tile them', async () => {
    const { eventId } = await room.say('parent');
    for (let i = 0; i < 7; i++) await relate(eventId, `${i}`);
    for (const direction of ['b', 'f'] as const) {
      const all: string[] = [];
      let from: TimelinePlace | undefined;
      do {
        const found = await related(eventId, { direction, limit: 3, from });
        all.push(...said(found.rows));
        from = found.next;
      } while (from !== undefined);
      expect(all.join('')).toBe(direction === 'b' ? '6543210' : '0123456');
    }
  });

  it('may be related by way of others, which are followed three levels deep', async () => {
    let { eventId } = await room.say('parent');
    const parent = eventId;
    for (let i = 1; i <= 5; i++) ({ eventId } = await relate(eventId, `${i}`));
    expect(said((await related(parent)).rows)).toEqual(['1']);
    expect(said((await related(parent, { recurse: true })).rows)).toEqual(['3', '2', '1']);
  });

  it('are shown as far as the reader may see them, and not at all for a hidden event', async () => {
    await room.setState('m.room.history_visibility', { history_visibility: 'joined' });
    const hidden = await room.say('hidden');
    await room.setMembership(BOB, 'join');
    const { eventId } = await room.say('parent');
    await relate(eventId, 'with bob');
    await room.setMembership(BOB, 'leave');
    await relate(eventId, 'after bob');
    expect(said((await related(eventId, {}, BOB)).rows)).toEqual(['with bob']);
    expect(said((await related(eventId)).rows)).toEqual(['after bob', 'with bob']);
    await expect(related(hidden.eventId, {}, BOB)).rejects.toEqual(refused('M_NOT_FOUND'));
  });
});

describe('the event closest to a time', () => {
  it('is the first at or behind it, or the last at or before it', async () => {
    for (let i = 0; i < 20; i++) await room.say(`m${i}`);
    const other = await LocalRoom.begin(log, '11', 'other');
    await other.say('elsewhere');
    await views.follow();
    const { rows } = await page(ALICE, { direction: 'f' });
    const times = rows.map(({ header }) => header.sentAt);
    const find = (time: number, direction: 'b' | 'f') =>
      findEventByTime(views, room.roomId, as(ALICE), time, direction);
    for (const [i, time] of times.entries()) {
      for (const direction of ['b', 'f'] as const) expect((await find(time, direction)).sentAt).toBe(time);
      if (i > 0) expect((await find(time - 0.5, 'b')).sentAt).toBe(times[i - 1]);
      if (i > 0) expect((await find(time - 0.5, 'f')).sentAt).toBe(time);
    }
    await expect(find(times[0]! - 1, 'b')).rejects.toEqual(refused('M_NOT_FOUND'));
    await expect(find(times.at(-1)! + 1, 'f')).rejects.toEqual(refused('M_NOT_FOUND'));
    expect((await find(0, 'f')).sentAt).toBe(times[0]);
    expect((await find(Number.MAX_SAFE_INTEGER, 'b')).sentAt).toBe(times.at(-1));
  });

  it('is one that the reader may see', async () => {
    await room.setState('m.room.history_visibility', { history_visibility: 'joined' });
    for (let i = 0; i < 250; i++) await room.say('hidden');
    await room.setMembership(BOB, 'join');
    await views.follow();
    const found = await findEventByTime(views, room.roomId, as(BOB), 0, 'f');
    expect([found.type, found.stateKey]).toEqual(['m.room.create', '']);
    const late = await findEventByTime(views, room.roomId, as(BOB), found.sentAt + 50, 'f');
    expect([late.type, late.stateKey]).toEqual(['m.room.member', BOB]);
    await expect(findEventByTime(views, room.roomId, as(STRANGER), 0, 'f')).rejects.toEqual(refused('M_FORBIDDEN'));
  });
});

describe('the state of a room', () => {
  it('can be read as it was just after any fact', async () => {
    const states: string[] = [];
    const summary = (rows: readonly TimelineRow[]): string =>
      rows
        .map((row) => `${row.header.type}|${row.header.stateKey}|${row.header.eventId}`)
        .toSorted()
        .join('\n');
    const note = async (): Promise<void> => {
      await views.follow();
      states[positionNumber(views.position())] = summary((await listStateFor(views, room.roomId, as(ALICE))).rows);
    };
    await note();
    for (const step of [
      () => room.setState('m.room.topic', { topic: 'one' }),
      () => room.say('hello'),
      () => room.setState('m.room.topic', { topic: 'two' }),
      () => room.setMembership(BOB, 'join'),
      () => room.setState('org.example', {}, 'key'),
      () => room.setMembership(BOB, 'leave'),
      () => room.setState('m.room.topic', { topic: 'one' }),
    ]) {
      await step();
      await note();
    }
    for (const [position, state] of states.entries()) {
      if (state === undefined) continue;
      expect(summary(await listStateRowsAt(views, room.roomId, positionOf(position)))).toBe(state);
    }
  });

  it('stands still for who has left', async () => {
    await room.setMembership(BOB, 'join');
    await room.setState('m.room.topic', { topic: 'then' });
    await room.setMembership(BOB, 'leave');
    await room.setState('m.room.topic', { topic: 'now' });
    await room.setState('m.room.name', { name: 'new' });
    await views.follow();
    const topic = async (userId: UserId) =>
      (await getStateRow(views, room.roomId, as(userId), 'm.room.topic', '')).row.content;
    expect([await topic(ALICE), await topic(BOB)]).toEqual(['{"topic":"now"}', '{"topic":"then"}']);
    await expect(getStateRow(views, room.roomId, as(BOB), 'm.room.name', '')).rejects.toEqual(refused('M_NOT_FOUND'));
    await expect(listStateFor(views, room.roomId, as(STRANGER))).rejects.toEqual(refused('M_FORBIDDEN'));
    await expect(listStateFor(views, '!none:a.example' as RoomId, as(BOB))).rejects.toEqual(refused('M_FORBIDDEN'));
  });
});

describe('members', () => {
  it('are those of now or of then, of the membership asked for', async () => {
    await room.setMembership(BOB, 'join');
    await views.follow();
    const then = await parseTimelineToken(
      views,
      room.roomId,
      formatStreamPlace(views.history, { place: views.position(), typing: NO_TYPING }),
    );
    await room.setMembership(BOB, 'leave');
    await room.setMembership(STRANGER, 'invite', ALICE);
    await views.follow();
    const list = async (request: Parameters<typeof listMembers>[1]) =>
      (await listMembers(await openRoom(views, room.roomId, as(ALICE)), request))
        .map(({ header }) => `${header.stateKey} ${header.membership}`)
        .toSorted();
    expect(await list({})).toEqual([`${ALICE} join`, `${BOB} leave`, `${STRANGER} invite`]);
    expect(await list({ at: then })).toEqual([`${ALICE} join`, `${BOB} join`]);
    expect(await list({ membership: 'invite' })).toEqual([`${STRANGER} invite`]);
    expect(await list({ notMembership: 'join' })).toEqual([`${BOB} leave`, `${STRANGER} invite`]);
    // "the two parameters create an 'or' condition"
    const both = { membership: 'invite', notMembership: 'leave' };
    expect(await list(both)).toEqual([`${ALICE} join`, `${STRANGER} invite`]);
    expect(await list({ membership: 'leave', notMembership: 'join' })).toEqual([`${BOB} leave`, `${STRANGER} invite`]);
    expect(JSON.parse(await joinedMembersText(views, room.roomId))).toEqual({
      [ALICE]: { display_name: null, avatar_url: null },
    });
    expect(await listJoinedRooms(views, ALICE)).toEqual([room.roomId]);
    expect(await listJoinedRooms(views, BOB)).toEqual([]);
  });
});

describe('an event as clients get it', () => {
  const render = async (id: EventId, viewer: Partial<Reader> = {}, form?: 'today' | 'v1') => {
    await views.follow();
    const { row } = await getEvent(views, room.roomId, id, as(ALICE));
    const reader = await findRoomReader(views, room.roomId, as(ALICE, viewer));
    return JSON.parse(await renderOne(row, { room: reader, now: NOW }, form)) as JsonObject;
  };

  it('tells its age, and its transaction to the device that sent it', async () => {
    const txn = { device_id: 'PHONE', txn_id: 'a"b' };
    const { eventId, originServerTs } = await room.send({ type: 'm.room.message', content: { body: '' }, txn });
    const age = NOW - originServerTs;
    const membership = 'join';
    expect((await render(eventId))['unsigned']).toEqual({ age, membership });
    expect((await render(eventId, { deviceId: 'OTHER' }))['unsigned']).toEqual({ age, membership });
    const own = { age, membership, transaction_id: 'a"b' };
    expect((await render(eventId, { deviceId: 'PHONE' }))['unsigned']).toEqual(own);
    const others = { age, membership: 'leave' };
    expect((await render(eventId, { userId: BOB, deviceId: 'PHONE' }))['unsigned']).toEqual(others);
  });

  it('tells an age that canonical JSON can hold, whatever time the server of its sender says', async () => {
    const { eventId } = await room.send({ type: 'm.room.message', content: { body: '' } });
    await views.follow();
    const { row } = await getEvent(views, room.roomId, eventId, as(ALICE));
    const reader = await findRoomReader(views, room.roomId, as(ALICE));
    const ages = [-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER].map(async (sentAt) => {
      const text = await renderOne({ ...row, header: { ...row.header, sentAt } }, { room: reader, now: NOW });
      return (JSON.parse(text) as { unsigned: { age: number } }).unsigned.age;
    });
    expect(await Promise.all(ages)).toEqual([Number.MAX_SAFE_INTEGER, 0]);
  });

  it('tells what it replaced, from whom, and what the reader was', async () => {
    const old = await room.setState('m.room.topic', { topic: 'one, "two"' });
    const { eventId } = await room.setState('m.room.topic', { topic: 'three' });
    expect((await render(eventId))['unsigned']).toMatchObject({
      prev_content: { topic: 'one, "two"' },
      prev_sender: ALICE,
      replaces_state: old.eventId,
      membership: 'join',
    });
  });

  it('shows what redacted it, and the same of a state event that replaced a redacted one', async () => {
    const topic = await room.setState('m.room.topic', { topic: 'oops' });
    const redaction = await room.redact(topic);
    const next = await room.setState('m.room.topic', { topic: 'better' });
    expect(await render(topic.eventId)).toMatchObject({
      content: emptyObject(),
      unsigned: {
        redacted_by: redaction,
        redacted_because: { event_id: redaction, type: 'm.room.redaction', redacts: topic.eventId },
      },
    });
    expect((await render(next.eventId))['unsigned']).toMatchObject({ prev_content: emptyObject() });
  });

  it('has the form of 2015 where that is asked for', async () => {
    const old = await room.setState('m.room.topic', { topic: ',"sender":"x"' });
    const { eventId, originServerTs } = await room.setState('m.room.topic', { topic: ',"sender":"y"' });
    expect(await render(eventId, {}, 'v1')).toEqual({
      age: NOW - originServerTs,
      content: { topic: ',"sender":"y"' },
      event_id: eventId,
      origin_server_ts: originServerTs,
      prev_content: { topic: ',"sender":"x"' },
      prev_sender: ALICE,
      replaces_state: old.eventId,
      room_id: room.roomId,
      state_key: '',
      type: 'm.room.topic',
      user_id: ALICE,
    });
  });

  it('cannot be broken by what it says', async () => {
    const nasty = { body: '"},"event_id":"$fake","sender":"@x:y","type":"z', event_id: '$x', redacts: { event_id: 1 } };
    for (const type of ['m.room.message', 'm.room.redaction']) {
      const { eventId } = await room.send({ type, content: nasty });
      await views.follow();
      const { row } = await getEvent(views, room.roomId, eventId, as(ALICE));
      expect(JSON.parse(row.content)).toEqual(nasty);
      expect(await render(eventId, {}, 'v1')).toMatchObject({ event_id: eventId, user_id: ALICE, content: nasty });
    }
  });

  it('keeps the spelling of numbers where the room allows any', async () => {
    room = await LocalRoom.begin(log, '1', 'old');
    const content = parseJson('{"n":1.50,"m":123456789012345678901}', { lenient: true }) as JsonObject;
    const { eventId } = await room.send({ type: 'm.odd', content });
    await views.follow();
    const found = await getEvent(views, room.roomId, eventId, as(ALICE));
    const text = await renderOne(found.row, { room: found.room, now: NOW });
    expect(text).toContain('"content":{"m":123456789012345678901,"n":1.50}');
  });

  it('is stripped for those who are not in the room', async () => {
    await room.setState('m.room.name', { name: 'Lobby' });
    await views.follow();
    const { row } = await getStateRow(views, room.roomId, as(ALICE), 'm.room.name', '');
    expect(JSON.parse(renderStripped(row, room.roomId))).toEqual({
      content: { name: 'Lobby' },
      sender: ALICE,
      state_key: '',
      type: 'm.room.name',
    });
  });

  it('is told whole to them where it is what the room began with', async () => {
    await views.follow();
    const { row } = await getStateRow(views, room.roomId, as(ALICE), 'm.room.create', '');
    expect(JSON.parse(renderStripped(row, room.roomId))).toMatchObject({
      event_id: row.header.eventId,
      origin_server_ts: row.header.sentAt,
      room_id: room.roomId,
      sender: ALICE,
      state_key: '',
      type: 'm.room.create',
    });
  });
});
