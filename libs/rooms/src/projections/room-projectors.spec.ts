import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EventId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { type Position, shortPosition } from '#kernel/position';
import { parseJson } from '#protocol/canonical-json/parse-json';
import type { RoomEvent } from '#protocol/room-event';
import { ALICE, BOB, LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { project, type StreamFact } from '#testing/project';
import { RoomViews } from '#testing/room-views';
import { roomProjectors } from './room-projectors.js';
import { depthKey, eventKeyPart, type EventPlace, parseEventPlace } from './event-place.js';
import { clientEventOf } from './client-event.js';
import { parseRow, type RowHeader } from './timeline-row.js';
import { transactionKey } from './timeline-collections.js';

const CAROL = '@carol:a.example' as UserId;

let log: MemoryEventStore;
let room: LocalRoom;

beforeEach(async () => {
  log = new MemoryEventStore();
  room = await LocalRoom.begin(log);
});

/** The rows a projector makes of the log, however its facts are batched and however often they are applied. */
function rowsOf(name: string, more: readonly StreamFact[] = []): Promise<Record<string, unknown>> {
  const projector = roomProjectors().find((one) => one.name === name);
  if (projector === undefined) throw new Error(`no projector ${name}`);
  const facts = log.facts.map(({ stream, type, data }) => ({ stream, type, data: JSON.parse(data) as unknown }));
  return project(projector, [...facts, ...more]);
}

/** A row of `timeline` or `room-state`, its client JSON parsed. */
function eventRow(rows: Record<string, unknown>, key: string): { header: RowHeader; event: JsonObject } {
  const row = rows[key];
  if (typeof row !== 'string') throw new Error(`no row ${key} in ${Object.keys(rows).join('\n')}`);
  const parsed = parseRow(row);
  return { header: parsed.header, event: JSON.parse(clientEventOf(parsed, room.roomId)) as JsonObject };
}

/** Where an event of the room stands. */
function placeOf(rows: Record<string, unknown>, eventId: EventId): EventPlace {
  return parseEventPlace(String(rows[`events ${eventKeyPart(eventId)} ${room.roomId}`]));
}

/** The keys of a collection, without its name. */
function keysOf(rows: Record<string, unknown>, collection: string): string[] {
  const mark = `${collection} `;
  return Object.keys(rows).flatMap((key) => (key.startsWith(mark) ? [key.slice(mark.length)] : []));
}

function lastPosition(): string {
  return log.facts.at(-1)?.position ?? '';
}

function forgotten(userId: UserId): StreamFact {
  return { stream: `user-${userId}`, type: 'room-forgotten', data: { room_id: room.roomId } };
}

describe('the timeline', () => {
  it('holds an event as clients get it, beside what readers must know of it', async () => {
    const txn = { device_id: 'PHONE', txn_id: 't1' };
    const sent = await room.send({ type: 'm.room.message', content: { body: 'hi "}' }, txn });
    const rows = await rowsOf('timeline');
    const { header, event } = eventRow(rows, `timeline ${room.roomId} ${lastPosition()}`);
    expect(event).toEqual({
      content: { body: 'hi "}' },
      event_id: sent.eventId,
      origin_server_ts: sent.originServerTs,
      room_id: room.roomId,
      sender: ALICE,
      type: 'm.room.message',
    });
    expect(header).toEqual({
      eventId: sent.eventId,
      type: 'm.room.message',
      sender: ALICE,
      sentAt: sent.originServerTs,
      // The clock of these facts stands near zero.
      arrivedAt: 3,
      depth: 3,
      position: lastPosition(),
      visibility: 'shared',
      deviceId: 'PHONE',
      txnId: 't1',
      isHistory: false,
      isAfterGap: false,
      isResolved: false,
      isWaiting: false,
      isAside: false,
      isAgain: false,
      lenient: false,
    });
    const place = { position: lastPosition(), depth: 3, revision: 2, isHistory: false };
    expect(placeOf(rows, sent.eventId)).toEqual(place);
    const sentAs = { userId: ALICE, deviceId: 'PHONE', roomId: room.roomId, type: 'm.room.message', txnId: 't1' };
    expect(rows[`transactions ${transactionKey(sentAs).join(' ')}`]).toBe(shortPosition(lastPosition() as Position));
  });

  it('orders events by depth, then by their place in the log', async () => {
    await room.say('one');
    await room.say('two');
    const keys = keysOf(await rowsOf('timeline'), 'topology');
    expect(keys.map((key) => key.split(' ').slice(1))).toEqual([
      ['a1', log.facts[0]?.position],
      ['a2', log.facts[1]?.position],
      ['a3', log.facts[2]?.position],
      ['a4', log.facts[3]?.position],
    ]);
  });

  it('knows of a state event its key, what it replaced, and the visibility before and after it', async () => {
    const first = await room.setState('m.room.history_visibility', { history_visibility: 'joined' });
    await room.setState('m.room.history_visibility', { history_visibility: 'nonsense' });
    const { header } = eventRow(await rowsOf('timeline'), `timeline ${room.roomId} ${lastPosition()}`);
    expect(header).toMatchObject({
      stateKey: '',
      replaces: first.eventId,
      visibility: 'joined',
      setsVisibility: 'shared',
    });
  });

  it('shows of a redacted event what remains, and the redaction names its target in both places', async () => {
    const said = await room.say('oops');
    const at = lastPosition();
    const redaction = await room.redact(said);
    const rows = await rowsOf('timeline');
    const { header, event } = eventRow(rows, `timeline ${room.roomId} ${at}`);
    expect(event['content']).toEqual({});
    expect(header).toMatchObject({ eventId: said.eventId, redactedBy: redaction });
    const { position } = placeOf(rows, redaction);
    const told = eventRow(rows, `timeline ${room.roomId} ${position}`).event;
    expect(told).toMatchObject({ redacts: said.eventId, content: { redacts: said.eventId } });
  });

  it('names the target of a redaction in both places in old rooms too', async () => {
    log = new MemoryEventStore();
    room = await LocalRoom.begin(log, '6');
    const said = await room.say('oops');
    const redaction = await room.redact(said);
    const rows = await rowsOf('timeline');
    const { position } = placeOf(rows, redaction);
    const told = eventRow(rows, `timeline ${room.roomId} ${position}`).event;
    expect(told).toMatchObject({ redacts: said.eventId, content: { redacts: said.eventId } });
  });

  it('does not let one room redact an event of another', async () => {
    const said = await room.say('mine');
    const fact = log.facts.at(-1);
    const stream = 'room-!other:a.example';
    const data = { event_id: said.eventId, redacted_by: '$r', room_version: '11', pdu: { content: {} } };
    const rows = await rowsOf('timeline', [{ stream, type: 'pdu-redacted', data }]);
    const { header, event } = eventRow(rows, `timeline ${room.roomId} ${fact?.position}`);
    expect(header.redactedBy).toBeUndefined();
    expect(event['content']).toMatchObject({ body: 'mine' });
  });

  it('has the same order of the graph in whichever order events come, and news in the order of arrival alone', async () => {
    const header = { room_version: '11', state: [], root: '', visibility: 'shared', extremities: [] };
    const facts = Array.from({ length: 12 }, (_, i): StreamFact => {
      const pdu = { type: 'm', sender: ALICE, origin_server_ts: i, depth: i * 7, prev_events: [], content: {} };
      const history = i % 3 === 0 ? { history: true } : {};
      return { stream: 'room-!x:a', type: 'pdu-accepted', data: { ...header, ...history, event_id: `$${i}`, pdu } };
    });
    const projector = roomProjectors().find(({ name }) => name === 'timeline')!;
    const property = fc.asyncProperty(
      fc.shuffledSubarray(facts, { minLength: facts.length, maxLength: facts.length }),
      async (arrived) => {
        const rows = await project(projector, arrived);
        const order = keysOf(rows, 'topology').toSorted();
        const idOf = (key: string): string => {
          const collection = rows[`topology ${key}`] === 'h' ? 'history' : 'timeline';
          return parseRow(String(rows[`${collection} !x:a ${key.split(' ')[2]}`])).header.eventId;
        };
        expect(order.map(idOf)).toEqual(facts.map((_, i) => `$${i}`));
        const news = keysOf(rows, 'timeline').toSorted();
        const live = arrived.filter(({ data }) => !('history' in (data as object)));
        expect(news.map((key) => parseRow(String(rows[`timeline ${key}`])).header.eventId)).toEqual(
          live.map(({ data }) => (data as { event_id: string }).event_id),
        );
      },
    );
    await fc.assert(property, { numRuns: 30 });
  });

  it('counts nothing that was fetched from the past as activity', async () => {
    const of = (eventId: string, more: object): StreamFact => {
      const pdu = {
        type: 'm.room.message',
        sender: ALICE,
        origin_server_ts: 1,
        depth: 1,
        prev_events: [],
        content: {},
      };
      const data = { event_id: eventId, room_version: '11', state: [], visibility: 'shared', pdu, ...more };
      return { stream: 'room-!x:a', type: 'pdu-accepted', data };
    };
    const rows = await rowsOf('room-activity', [of('$now', {})]);
    expect(await rowsOf('room-activity', [of('$now', {}), of('$past', { history: true })])).toEqual(rows);
    expect(await rowsOf('room-activity', [of('$now', {}), of('$next', {})])).not.toEqual(rows);
  });

  it('gives rooms events of the same id without mixing them up: versions 1 and 2 let servers name theirs', async () => {
    const said = await room.say('mine');
    const pdu = {
      type: 'm',
      sender: ALICE,
      origin_server_ts: 1,
      depth: 9,
      prev_events: [],
      content: { body: 'theirs' },
    };
    const data = { event_id: said.eventId, room_version: '1', state: [], visibility: 'shared', extremities: [], pdu };
    const rows = await rowsOf('timeline', [{ stream: 'room-!other:a.example', type: 'pdu-accepted', data }]);
    const { position } = placeOf(rows, said.eventId);
    expect(eventRow(rows, `timeline ${room.roomId} ${position}`).event['content']).toMatchObject({ body: 'mine' });
    expect(parseEventPlace(String(rows[`events ${eventKeyPart(said.eventId)} !other:a.example`]))).toMatchObject({
      depth: 9,
    });
  });

  it('notes the parents of an event whose state others told, which may be missing', async () => {
    const pdu = {
      type: 'm',
      sender: ALICE,
      origin_server_ts: 1,
      depth: 9,
      content: {},
      prev_events: ['$p', ['$q', {}]],
    };
    const header = { event_id: '$e', room_version: '11', state: [], visibility: 'shared', extremities: [] };
    const told = { ...header, base: { learnt: '$e' }, pdu };
    const facts = [
      { stream: 'room-!x:a', type: 'pdu-accepted', data: told },
      { stream: 'room-!x:a', type: 'pdu-accepted', data: { ...header, event_id: '$f', pdu } },
    ];
    const rows = await project(
      roomProjectors().find(({ name }) => name === 'timeline')!,
      facts,
    );
    expect(keysOf(rows, 'gaps').map((key) => rows[`gaps ${key}`])).toEqual([['$p', '$q']]);
  });

  describe('where a gap is behind an event that was refused', () => {
    type Outcome = 'accepted' | 'soft-failed' | 'rejected';

    /** The fact of what became of an event of another server. `more.base`: where the state before it was learnt. */
    function judged(outcome: Outcome, eventId: string, parents: readonly string[], more: object = {}): StreamFact {
      const pdu = { type: 'm', sender: BOB, origin_server_ts: 1, depth: 9, content: {}, prev_events: parents };
      const header = { room_version: '11', state: [], visibility: 'shared', origin: 'b.example', ...more };
      const told = { extremities: [eventId, '$other'], event_id: eventId, ...header, pdu };
      return { stream: 'room-!x:a', type: `pdu-${outcome}`, data: told };
    }

    const learnt = (eventId: string): object => ({ base: { learnt: eventId } });

    /** By the events that stand behind a gap, what may be missing there. */
    async function gapsBy(facts: readonly StreamFact[]): Promise<Record<string, unknown>> {
      const rows = await project(
        roomProjectors().find(({ name }) => name === 'timeline')!,
        facts,
      );
      const gaps = keysOf(rows, 'gaps').map((key) => {
        const position = key.split(' ')[2];
        const row = rows[`timeline !x:a ${position}`] ?? rows[`history !x:a ${position}`];
        return [parseRow(String(row)).header.eventId, rows[`gaps ${key}`]];
      });
      const marked = [...keysOf(rows, 'timeline'), ...keysOf(rows, 'history')]
        .map((key) => parseRow(String(rows[`timeline ${key}`] ?? rows[`history ${key}`])).header)
        .flatMap(({ eventId, isAfterGap }) => (isAfterGap === true ? [eventId] : []));
      expect(marked.toSorted()).toEqual(gaps.map(([eventId]) => eventId).toSorted());
      return Object.fromEntries(gaps) as Record<string, unknown>;
    }

    it.each(['soft-failed', 'rejected'] as const)('is it behind what is accepted on a %s one', async (outcome) => {
      const facts = [
        judged(outcome, '$refused', ['$p', '$q'], learnt('$refused')),
        judged('accepted', '$on', ['$refused']),
        judged('accepted', '$beside', ['$refused', '$on'], { history: true }),
        judged('accepted', '$after', ['$on']),
      ];
      expect(await gapsBy(facts)).toEqual({ $on: ['$p', '$q'], $beside: ['$p', '$q'] });
    });

    it('is it behind what is accepted on a chain of such events, which met another', async () => {
      const facts = [
        judged('soft-failed', '$one', ['$p'], learnt('$one')),
        judged('rejected', '$two', ['$q', '$p'], learnt('$two')),
        judged('soft-failed', '$on-one', ['$one']),
        judged('soft-failed', '$both', ['$on-one', '$two', '$here']),
        judged('accepted', '$last', ['$here', '$both']),
        judged('soft-failed', '$elsewhere', ['$here']),
        judged('accepted', '$on-elsewhere', ['$elsewhere']),
      ];
      expect(await gapsBy(facts)).toEqual({ $last: ['$p', '$q'] });
    });

    it('says no more of it than an event may have parents, however many such chains meet', async () => {
      const names = Array.from({ length: 60 }, (_, i) => `$${i}`);
      const facts = [
        ...names.map((name) => judged('soft-failed', name, [`${name}-lost`], learnt(name))),
        ...[0, 20, 40].map((from) => judged('soft-failed', `$from-${from}`, names.slice(from, from + 20))),
        judged('soft-failed', '$all', ['$from-0', '$from-20', '$from-40']),
        judged('accepted', '$last', ['$all']),
      ];
      expect(await gapsBy(facts)).toEqual({ $last: names.slice(0, 20).map((name) => `${name}-lost`) });
    });

    it('is it whatever comes later of what is missing, also where that is refused', async () => {
      const facts = [
        judged('soft-failed', '$refused', ['$p'], learnt('$refused')),
        judged('accepted', '$on', ['$refused']),
        judged('rejected', '$p', ['$q'], learnt('$p')),
        judged('accepted', '$on-p', ['$p'], { history: true }),
      ];
      expect(await gapsBy(facts)).toEqual({ $on: ['$p'], '$on-p': ['$q'] });
    });

    it('is told of each of them, also where nothing is missing: it is no more missing itself', async () => {
      const facts = [judged('rejected', '$one', ['$here']), judged('soft-failed', '$two', ['$p'], learnt('$two'))];
      const rows = await project(
        roomProjectors().find(({ name }) => name === 'timeline')!,
        facts,
      );
      expect(keysOf(rows, 'behind-refused').map((key) => rows[`behind-refused ${key}`])).toEqual(
        expect.arrayContaining([[], ['$p']]),
      );
    });

    it('holds back a redaction that waits all the same', async () => {
      const redaction = judged('accepted', '$redaction', ['$refused']);
      const { pdu } = redaction.data as { pdu: object };
      const data = {
        ...(redaction.data as object),
        pdu: { ...pdu, type: 'm.room.redaction', content: { redacts: '$lost' } },
      };
      const rows = await project(
        roomProjectors().find(({ name }) => name === 'timeline')!,
        [judged('soft-failed', '$refused', ['$p'], learnt('$refused')), { ...redaction, data }],
      );
      const [key] = keysOf(rows, 'timeline');
      expect(parseRow(String(rows[`timeline ${key}`])).header).toMatchObject({ isAfterGap: true, isWaiting: true });
    });
  });

  it('keeps the spelling of numbers in the rooms that may hold any', async () => {
    log = new MemoryEventStore();
    room = await LocalRoom.begin(log, '5');
    const content = parseJson('{"big":12345678901234567890,"float":1.50}', { lenient: true }) as JsonObject;
    const sent = await room.send({ type: 'm.odd', content });
    await room.redact(await room.say('oops'));
    const views = await new RoomViews(log).follow();
    const { position } = parseEventPlace((await views.get('events', [eventKeyPart(sent.eventId), room.roomId])) ?? '');
    const { header, content: text } = parseRow((await views.get('timeline', [room.roomId, position])) ?? '');
    expect(text).toBe('{"big":12345678901234567890,"float":1.50}');
    expect(header.lenient).toBe(true);
  });
});

describe('the state of a room', () => {
  it('is the last event of each key', async () => {
    await room.setState('m.room.topic', { topic: 'one' });
    const second = await room.setState('m.room.topic', { topic: 'two' });
    await room.say('no state');
    const rows = await rowsOf('room-state');
    const { header, event } = eventRow(rows, `room-state ${room.roomId} m.room.topic `);
    expect([header.eventId, event['content']]).toEqual([second.eventId, { topic: 'two' }]);
    expect(header.position).toBe(log.facts.at(-2)?.position);
  });

  it('shows what remains of a redacted event, but not of one that was replaced', async () => {
    const old = await room.setState('m.room.topic', { topic: 'one' });
    const topic = await room.setState('m.room.topic', { topic: 'two' });
    await room.redact(old);
    const key = `room-state ${room.roomId} m.room.topic `;
    expect(eventRow(await rowsOf('room-state'), key).event['content']).toEqual({ topic: 'two' });
    const redaction = await room.redact(topic);
    const { header, event } = eventRow(await rowsOf('room-state'), key);
    expect([header.redactedBy, event['content']]).toEqual([redaction, {}]);
  });

  it('takes back an earlier event where a resolution decided so', async () => {
    const old = await room.setState('m.room.topic', { topic: 'one' });
    const topic = await room.setState('m.room.topic', { topic: 'two' });
    const change = { type: 'm.room.topic', state_key: '', event_id: old.eventId, replaces: topic.eventId };
    const last = JSON.parse(log.facts.at(-1)?.data ?? '') as JsonObject;
    const more = {
      stream: `room-${room.roomId}`,
      type: 'pdu-accepted',
      data: { ...last, event_id: '$merge', state: [change], state_pdus: { [old.eventId]: JSON.stringify(old.pdu) } },
    };
    const key = `room-state ${room.roomId} m.room.topic `;
    const { header, event } = eventRow(await rowsOf('room-state', [more]), key);
    expect([header.eventId, event['content']]).toEqual([old.eventId, { topic: 'one' }]);
    expect(header.position > lastPosition()).toBe(true);
    expect((await rowsOf('room-summary', [more]))[`rooms ${room.roomId}`]).toMatchObject({ topic: 'one' });
  });
});

describe('memberships', () => {
  const counts = `room-counts`;

  it('are known from the room, from the user, and at every moment', async () => {
    await room.setState('m.room.join_rules', { join_rule: 'public' });
    await room.setMembership(BOB, 'invite', ALICE);
    const invited = lastPosition();
    const content = { membership: 'join', displayname: 'Bob', avatar_url: 'mxc://a.example/b', reason: 'why not' };
    const join = await room.send({ type: 'm.room.member', stateKey: BOB, sender: BOB, content });
    const joined = lastPosition();
    const rows = await rowsOf('membership');
    expect(rows[`members ${room.roomId} ${BOB}`]).toEqual({
      ...content,
      event_id: join.eventId,
      pos: joined,
      sender: BOB,
    });
    expect(rows[`user-rooms ${BOB} ${room.roomId}`]).toEqual({
      membership: 'join',
      event_id: join.eventId,
      pos: joined,
      sender: BOB,
    });
    expect(rows[`membership-log ${room.roomId} ${BOB} ${invited}`]).toEqual({ membership: 'invite' });
    expect(rows[`membership-log ${room.roomId} ${BOB} ${joined}`]).toEqual({ membership: 'join' });
    expect(keysOf(rows, 'room-members')).toEqual([`${room.roomId} join ${ALICE}`, `${room.roomId} join ${BOB}`]);
    expect(rows[`${counts} ${room.roomId}`]).toEqual({ joined: 2, invited: 0, pos: joined });
  });

  it('are logged only where they change, with the end of the last stay', async () => {
    await room.setState('m.room.join_rules', { join_rule: 'public' });
    const at: string[] = [];
    const set = async (membership: string, sender = BOB, displayname?: string): Promise<void> => {
      const content = { membership, displayname };
      await room.send({ type: 'm.room.member', stateKey: BOB, sender, content: JSON.parse(JSON.stringify(content)) });
      at.push(lastPosition());
    };
    await set('join');
    for (const name of ['b', 'bo', 'bob']) await set('join', BOB, name);
    await set('leave', ALICE);
    await set('ban', ALICE);
    await set('ban', ALICE, 'again');
    await set('leave', ALICE);
    await set('join');
    const prefix = `membership-log ${room.roomId} ${BOB} `;
    const logged = Object.entries(await rowsOf('membership')).filter(([key]) => key.startsWith(prefix));
    expect(logged.map(([key, row]) => [key.slice(prefix.length), row])).toEqual([
      [at[0], { membership: 'join' }],
      [at[4], { membership: 'leave', left: at[4] }],
      [at[5], { membership: 'ban', left: at[4] }],
      [at[7], { membership: 'leave', left: at[4] }],
      [at[8], { membership: 'join' }],
    ]);
  });

  it('are counted once each, through every change', async () => {
    await room.setState('m.room.join_rules', { join_rule: 'public' });
    await room.setMembership(BOB, 'invite', ALICE);
    await room.setMembership(CAROL, 'join');
    await room.setMembership(CAROL, 'join');
    await room.setMembership(BOB, 'leave');
    await room.setMembership(CAROL, 'ban', ALICE);
    await room.setMembership(BOB, 'invite', ALICE);
    const rows = await rowsOf('membership');
    expect(rows[`${counts} ${room.roomId}`]).toMatchObject({ joined: 1, invited: 1 });
    expect(keysOf(rows, 'room-members')).toEqual([
      `${room.roomId} ban ${CAROL}`,
      `${room.roomId} invite ${BOB}`,
      `${room.roomId} join ${ALICE}`,
    ]);
  });

  it('lose what a redaction takes, and keep their place', async () => {
    const content = { membership: 'join', displayname: 'Alice' };
    const event = await room.send({ type: 'm.room.member', stateKey: ALICE, content });
    const pos = lastPosition();
    await room.redact(event);
    expect((await rowsOf('membership'))[`members ${room.roomId} ${ALICE}`]).toEqual({
      membership: 'join',
      event_id: event.eventId,
      pos,
      sender: ALICE,
    });
  });

  it('are forgotten when they have ended, until the user is back', async () => {
    const key = `user-rooms ${BOB} ${room.roomId}`;
    await room.setState('m.room.join_rules', { join_rule: 'public' });
    await room.setMembership(BOB, 'join');
    expect((await rowsOf('membership', [forgotten(BOB)]))[key]).not.toHaveProperty('forgotten');
    await room.setMembership(BOB, 'leave');
    expect((await rowsOf('membership', [forgotten(BOB)]))[key]).toMatchObject({ membership: 'leave', forgotten: true });
    const stream = `room-${room.roomId}`;
    const past = log.facts.map(({ type, data }) => ({ stream, type, data: JSON.parse(data) as unknown }));
    const { length } = past;
    await room.setMembership(BOB, 'ban', ALICE);
    await room.setMembership(BOB, 'leave', ALICE);
    await room.setMembership(BOB, 'join');
    const later = log.facts
      .slice(length)
      .map(({ type, data }) => ({ stream, type, data: JSON.parse(data) as unknown }));
    log = new MemoryEventStore();
    const banned = await rowsOf('membership', [...past, forgotten(BOB), ...later.slice(0, 2)]);
    expect(banned[key]).toMatchObject({ membership: 'leave', was_in: true, forgotten: true });
    const back = await rowsOf('membership', [...past, forgotten(BOB), ...later]);
    expect(back[key]).toMatchObject({ membership: 'join' });
    expect(back[key]).not.toHaveProperty('forgotten');
  });
});

describe('the summary of a room', () => {
  it('says what lists show of it', async () => {
    await room.setState('m.room.name', { name: 'Lobby' });
    await room.setState('m.room.topic', { topic: 'Talk' });
    await room.setState('m.room.avatar', { url: 'mxc://a.example/a' });
    await room.setState('m.room.join_rules', {
      join_rule: 'restricted',
      allow: [{ type: 'm.room_membership', room_id: '!space:a.example' }],
    });
    await room.setState('m.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' });
    await room.setState('m.room.guest_access', { guest_access: 'can_join' });
    await room.setState('m.room.canonical_alias', { alias: '#lobby:a.example' });
    await room.setState('m.room.history_visibility', { history_visibility: 'world_readable' });
    await room.setState('m.room.name', { name: 'not this' }, 'odd key');
    expect((await rowsOf('room-summary'))[`rooms ${room.roomId}`]).toMatchObject({
      version: '11',
      creator: ALICE,
      name: 'Lobby',
      topic: 'Talk',
      avatar_url: 'mxc://a.example/a',
      canonical_alias: '#lobby:a.example',
      join_rule: 'restricted',
      allowed_room_ids: ['!space:a.example'],
      encryption: 'm.megolm.v1.aes-sha2',
      guest_access: 'can_join',
      history_visibility: 'world_readable',
      federate: true,
    });
  });

  it('begins closed, and with what the create event says', async () => {
    const { created_ts: at, ...summary } = (await rowsOf('room-summary'))[`rooms ${room.roomId}`] as JsonObject;
    expect(at).toBe(1_700_000_000_000);
    expect(summary).toMatchObject({ join_rule: 'invite', history_visibility: 'shared', guest_access: 'forbidden' });
  });

  it('loses a name that was emptied or redacted, but not by the redaction of an older one', async () => {
    const key = `rooms ${room.roomId}`;
    const old = await room.setState('m.room.name', { name: 'one' });
    const name = await room.setState('m.room.name', { name: 'two' });
    await room.redact(old);
    expect((await rowsOf('room-summary'))[key]).toMatchObject({ name: 'two' });
    await room.redact(name);
    expect((await rowsOf('room-summary'))[key]).not.toHaveProperty('name');
    await room.setState('m.room.name', { name: 'three' });
    await room.setState('m.room.name', { name: '' });
    expect((await rowsOf('room-summary'))[key]).not.toHaveProperty('name');
  });

  it('tells that a room was replaced, by which if that is said', async () => {
    await room.setState('m.room.tombstone', { body: 'moved', replacement_room: '!new:a.example' });
    expect((await rowsOf('room-summary'))[`rooms ${room.roomId}`]).toMatchObject({ tombstone: '!new:a.example' });
    await room.setState('m.room.tombstone', {});
    expect((await rowsOf('room-summary'))[`rooms ${room.roomId}`]).toMatchObject({ tombstone: '' });
  });
});

describe('relations', () => {
  const reply = (parent: unknown, relType: unknown = 'm.thread') =>
    room.send({
      type: 'm.room.message',
      content: { body: 'child', 'm.relates_to': { event_id: parent, rel_type: relType } } as JsonObject,
    });

  it('are found from the event that others relate to, in their order', async () => {
    const parent = await room.say('parent');
    const first = await reply(parent.eventId);
    const firstAt = lastPosition();
    const second = await reply(parent.eventId, 'org.example');
    const rows = await rowsOf('relations');
    expect(rows[`relations ${room.roomId} ${parent.eventId} ${depthKey(first.depth)} ${firstAt}`]).toEqual([
      first.eventId,
      'm.thread',
      'm.room.message',
      '@alice:a.example',
    ]);
    expect(keysOf(rows, 'relations')).toHaveLength(2);
    expect(keysOf(rows, 'relation-parents').toSorted()).toEqual(
      [first, second].map(({ eventId }) => `${room.roomId} ${eventId}`).toSorted(),
    );
  });

  it('are only what names an event and a kind of relation', async () => {
    await reply(undefined);
    await reply('$x', undefined as unknown as string);
    await reply(1);
    await reply('$x', {});
    await reply(`$${'x'.repeat(300)}`);
    await room.send({ type: 'm.room.message', content: { 'm.relates_to': 'text' } });
    await room.say('"m.relates_to"');
    const rows = await rowsOf('relations');
    expect(keysOf(rows, 'relations').map((key) => key.split(' ')[1])).toEqual(['$x']);
  });

  it('end with a redaction of this room', async () => {
    const parent = await room.say('parent');
    const child = await reply(parent.eventId);
    const foreign = { event_id: child.eventId, redacted_by: '$r', room_version: '11', pdu: { content: {} } };
    const stream = 'room-!other:a.example';
    expect(
      keysOf(await rowsOf('relations', [{ stream, type: 'pdu-redacted', data: foreign }]), 'relations'),
    ).toHaveLength(1);
    await room.redact(child);
    const rows = await rowsOf('relations');
    expect(Object.keys(rows).filter((key) => !/^(thread-senders|aggregated|relation-parents) /.test(key))).toEqual([]);
    expect((rows[`relation-parents ${room.roomId} ${child.eventId}`] as unknown[]).at(-1)).toBe(true);
  });

  it('end with a redaction though another room has an event under the same id that relates to something', async () => {
    const parent = await room.say('parent');
    const child = await reply(parent.eventId);
    const { type, data } = log.facts.at(-1)!;
    const other = { stream: 'room-!other:a.example', type, data: JSON.parse(data) as unknown };
    const redacted = { event_id: child.eventId, redacted_by: '$r', room_version: '11', pdu: { content: {} } };
    const own = { stream: `room-${room.roomId}`, type: 'pdu-redacted', data: redacted };
    const rows = await rowsOf('relations', [other, own]);
    expect(keysOf(rows, 'relations').map((key) => key.split(' ')[0])).toEqual(['!other:a.example']);
  });

  it('make threads, by their last event, with how many events they have and whose', async () => {
    const [root, other] = [await room.say('root'), await room.say('other')];
    const thread = async (): Promise<unknown[]> => {
      const rows = await rowsOf('relations');
      const ends = Object.entries(rows).filter(([key]) => key.startsWith('threads-log'));
      return [rows[`threads ${room.roomId} ${root.eventId}`], ends.map(([key, value]) => [key.split(' ')[2], value])];
    };
    await reply(root.eventId);
    const firstAt = lastPosition();
    expect(await thread()).toEqual([{ latest: firstAt, count: 1, pos: firstAt }, [[firstAt, root.eventId]]]);
    const second = await reply(root.eventId);
    const secondAt = lastPosition();
    await reply(root.eventId, 'm.annotation');
    expect(await thread()).toEqual([{ latest: secondAt, count: 2, pos: secondAt }, [[secondAt, root.eventId]]]);
    await reply(other.eventId);
    const otherAt = lastPosition();
    expect((await thread())[1]).toEqual([[secondAt, root.eventId], [otherAt, other.eventId]]); // prettier-ignore
    await room.redact(second);
    expect(await thread()).toEqual([
      { latest: firstAt, count: 1, pos: lastPosition() },
      [[firstAt, root.eventId], [otherAt, other.eventId]], // prettier-ignore
    ]);
    const rows = await rowsOf('relations');
    expect(rows[`thread-senders ${room.roomId} ${root.eventId} @alice:a.example`]).toEqual({
      count: 1,
      last: secondAt,
      pos: lastPosition(),
    });
  });

  it('are taken away once, however often an event is redacted', async () => {
    const root = await room.say('root');
    await reply(root.eventId);
    const child = await reply(root.eventId);
    const thread = `threads ${room.roomId} ${root.eventId}`;
    const sender = `thread-senders ${room.roomId} ${root.eventId} ${ALICE}`;
    for (let i = 0; i < 3; i++) {
      await room.redact(child);
      const rows = await rowsOf('relations');
      expect([rows[thread], rows[sender]]).toMatchObject([{ count: 1 }, { count: 1 }]);
    }
  });

  it('count the events of a thread that are left, whatever is said and redacted in whichever order', async () => {
    const steps = fc.array(fc.oneof(fc.constant('say' as const), fc.nat(5)), { maxLength: 7 });
    const property = fc.asyncProperty(steps, async (todo) => {
      log = new MemoryEventStore();
      room = await LocalRoom.begin(log);
      const root = await room.say('root');
      const said: { event: RoomEvent; at: string; isThere: boolean }[] = [];
      for (const step of todo) {
        const one = step === 'say' ? undefined : said[step];
        if (step === 'say') said.push({ event: await reply(root.eventId), at: lastPosition(), isThere: true });
        else if (one?.isThere === true) await room.redact(one.event).then(() => (one.isThere = false));
      }
      const left = said.filter(({ isThere }) => isThere);
      const rows = await rowsOf('relations');
      const thread = rows[`threads ${room.roomId} ${root.eventId}`];
      if (left.length === 0) expect(thread).toBeUndefined();
      else expect(thread).toMatchObject({ latest: left.at(-1)!.at, count: left.length });
      expect(keysOf(rows, 'threads-log')).toEqual(left.slice(-1).map(({ at }) => `${room.roomId} ${at}`));
      const own = rows[`thread-senders ${room.roomId} ${root.eventId} ${ALICE}`];
      if (said.length > 0) expect(own).toMatchObject({ count: left.length, last: said.at(-1)!.at });
    });
    await fc.assert(property, { numRuns: 40 });
  });
});

describe('memberships of a room that is not here', () => {
  const told = (membership: string, roomId: string = room.roomId): StreamFact => ({
    stream: `elsewhere-${BOB}`,
    type: 'membership-told',
    data: {
      room_id: roomId,
      room_version: '11',
      membership,
      event_id: `$${membership}`,
      origin: 'b.example',
      pdu: {
        type: 'm.room.member',
        sender: '@eve:b.example',
        state_key: BOB,
        content: { membership },
        origin_server_ts: 1,
        depth: 1,
      },
      state: [],
    },
  });

  it("are the user's until the room says itself what they are, and count no members", async () => {
    const far = '!far:b.example';
    const rows = await rowsOf('membership', [told('invite', far), told('leave', far), told('knock', far)]);
    expect(rows[`user-rooms ${BOB} ${far}`]).toMatchObject({ membership: 'knock', elsewhere: true });
    expect(keysOf(rows, 'elsewhere')).toHaveLength(3);
    expect(rows[`room-counts ${far}`]).toBeUndefined();
    expect(rows[`members ${far} ${BOB}`]).toBeUndefined();
  });

  it('say nothing of who is in the room, and give way to what it says', async () => {
    await room.setState('m.room.join_rules', { join_rule: 'public' });
    await room.setMembership(BOB, 'join');
    const key = `user-rooms ${BOB} ${room.roomId}`;
    const inRoom = await rowsOf('membership', [told('invite')]);
    expect(inRoom[key]).toMatchObject({ membership: 'join' });
    expect(keysOf(inRoom, 'elsewhere')).toEqual([]);
    await room.setMembership(BOB, 'leave');
    const count = `room-counts ${room.roomId}`;
    const before = await rowsOf('membership');
    const invited = await rowsOf('membership', [told('invite')]);
    expect(invited[key]).toMatchObject({ membership: 'invite', elsewhere: true, was_in: true });
    expect(invited[count]).toEqual(before[count]);
  });
});
