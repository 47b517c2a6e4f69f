import { beforeEach, describe, expect, test } from 'vitest';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { emptyObject } from '#testing/empty-object';
import { ForkedRoom } from '#testing/forked-room';
import { ALICE, BOB, LocalRoom, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { PduAccepted } from '../facts/room-facts.js';
import { type AuditEntry, type AuditOptions, auditRoom } from './audit-room.js';
import { peopleOf } from './people.js';
import { stateAt } from './state-at.js';

let store: MemoryEventStore;
let room: LocalRoom;

beforeEach(async () => {
  store = new MemoryEventStore();
  room = await LocalRoom.begin(store);
});

async function audit(roomId: RoomId, options: Partial<AuditOptions> = {}): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  const telling = { people: peopleOf(TEST_AUTHOR.serverName), messages: false };
  for await (const entry of auditRoom(store, roomId, { ...telling, ...options })) entries.push(entry);
  return entries;
}

describe('the audit of a room', () => {
  test('tells who did what, when, from which device, with which effect on the state', async () => {
    await room.setState('m.room.join_rules', { join_rule: 'public' });
    const first = await room.setState('m.room.topic', { topic: 'first' });
    await room.setMembership(BOB, 'join');
    const second = await room.setState('m.room.topic', { topic: 'second' });
    const said = await room.say('hello', BOB);
    await room.redact(said);
    await room.list();

    const entries = await audit(room.roomId);
    expect(entries.map(({ revision }) => revision)).toEqual(entries.map((_, i) => i));
    expect(entries.map(({ what }) => what)).toEqual([
      'created the room (version 11)',
      'joined',
      'set the join rule to public',
      'set the topic to "first"',
      'joined',
      'changed the topic from "first" to "second"',
      'sent a message (redacted since)',
      'redacted a message of bob',
      'took the content of a message of bob away',
      'listed the room in the directory',
    ]);
    expect(entries[5]).toMatchObject({
      actor: ALICE,
      device: 'ALICESPHONE',
      at: second.originServerTs + 1, // the clock of this room ticks whenever it is read
      fact: 'pdu-accepted',
      event_id: second.eventId,
      type: 'm.room.topic',
      state_key: '',
      effect: [{ type: 'm.room.topic', state_key: '', event_id: second.eventId, replaces: first.eventId }],
    });
    expect(entries[6]).toMatchObject({ actor: BOB, effect: [], root: entries[5]!.root });
    expect(entries[3]!.root).not.toBe(entries[5]!.root);
  });

  test('tells nothing of what was redacted, from the beginning', async () => {
    const secret = await room.setState('m.room.topic', { topic: 'a secret' });
    await room.setState('m.room.topic', { topic: 'harmless' });
    await room.redact(secret);
    await room.redact(await room.say('another secret'));
    const entries = await audit(room.roomId, { messages: true });
    expect(JSON.stringify(entries)).not.toContain('secret');
    expect(entries.map(({ what }) => what).slice(2, 6)).toEqual([
      'set m.room.topic (redacted since)',
      'set the topic to "harmless"',
      'redacted the m.room.topic of alice',
      'took the content of the m.room.topic of alice away',
    ]);
    expect((await stateAt(store, room.roomId, { revision: 2 })).state.at(-1)).toMatchObject({
      type: 'm.room.topic',
      content: emptyObject(),
    });
  });

  test('tells what a change took the place of, also where that is not shown', async () => {
    await room.setState('m.room.topic', { topic: 'first' });
    await room.setState('m.room.topic', { topic: 'second' });
    const [only, ...others] = await audit(room.roomId, { from: 3 });
    expect(others).toEqual([]);
    expect(only?.what).toBe('changed the topic from "first" to "second"');
    expect(await audit(room.roomId, { since: only!.at })).toEqual([only]);
    expect((await audit(room.roomId, { until: only!.at })).map(({ revision }) => revision)).toEqual([0, 1, 2]);
  });

  test('shows a part of it, both ends included', async () => {
    for (let i = 0; i < 5; i++) await room.say(`${i}`);
    expect((await audit(room.roomId, { from: 2, to: 4 })).map(({ revision }) => revision)).toEqual([2, 3, 4]);
    expect((await audit(room.roomId, { to: 1 })).map(({ revision }) => revision)).toEqual([0, 1]);
    expect(await audit(room.roomId, { from: 100 })).toEqual([]);
  });

  test('refuses a room that the log does not have', async () => {
    const nowhere = '!nowhere:a.example' as RoomId;
    await expect(audit(nowhere)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
    await expect(audit(nowhere, { from: 3 })).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
  });
});

describe('the audit of a room with events of other servers', () => {
  const CAROL = '@carol:b.example' as UserId;
  const topic = (text: string, prevEvents: readonly EventId[]) => ({
    sender: CAROL,
    type: 'm.room.topic',
    stateKey: '',
    content: { topic: text },
    prevEvents,
  });
  let others: ForkedRoom;
  let extremities: readonly EventId[];

  beforeEach(async () => {
    await room.setState('m.room.power_levels', { users: { [ALICE]: 100, [CAROL]: 50 } });
    await room.setState('m.room.join_rules', { join_rule: 'public' });
    others = new ForkedRoom(store, room);
    await others.join(CAROL);
    extremities = await others.extremities();
  });

  const newest = async (): Promise<AuditEntry> => (await audit(room.roomId)).at(-1)!;

  test('tells who said it, and not which server it came from', async () => {
    expect(await newest()).toMatchObject({ who: CAROL, what: 'joined', actor: 'b.example' });
  });

  test('tells what was refused, and why, and that of the past, none of which changed anything', async () => {
    await room.setState('m.room.topic', { topic: 'now' });
    await others.receive(topic('refused', extremities), 'pdu-soft-failed', { reason: 'not now' });
    const none = { who: CAROL, origin: 'b.example', effect: [] };
    const softFailed = 'set the topic to "refused" (soft-failed, nobody is shown it: not now)';
    expect(await newest()).toMatchObject({ ...none, what: softFailed });
    const told = { reason: 'may not', check: 'state' };
    const rejected = await others.receive(topic('forbidden', extremities), 'pdu-rejected', told);
    const what = 'set the topic to "forbidden" (rejected: may not)';
    expect(await newest()).toMatchObject({ ...none, what });
    await others.redact(rejected, extremities[0]!);
    const [entry, redacted] = (await audit(room.roomId)).slice(-2);
    expect(entry).toMatchObject({ what: 'set m.room.topic (redacted since) (rejected)', content: emptyObject() });
    expect(redacted?.what).toBe(`took the content of the m.room.topic of ${CAROL} away`);
    await others.fetch(topic('long ago', extremities));
    expect(await newest()).toMatchObject({ ...none, what: 'set the topic to "long ago" (fetched from the past)' });
    const said = { ...topic('', extremities), type: 'm.room.message', stateKey: undefined };
    const { eventId } = await others.receiveOutlierFirst(said);
    const [outlier] = (await audit(room.roomId)).slice(-2);
    expect(outlier).toMatchObject({
      who: 'b.example',
      event_id: eventId,
      what: `told of a message of ${CAROL}, which has no place in the history here`,
      effect: [],
    });
  });

  test('tells the content of what resolution brought back, but for what was redacted', async () => {
    const first = await others.receive(topic('first', extremities));
    await room.setState('m.room.topic', { topic: 'second' });
    const state = [{ type: 'm.room.topic', state_key: '', event_id: first.eventId }];
    const brought = { current: { state, root: 'r' }, state_pdus: { [first.eventId]: JSON.stringify(first.pdu) } };
    await others.receive(
      { ...topic('', extremities), type: 'm.room.message', stateKey: undefined },
      'pdu-accepted',
      brought,
    );
    expect((await newest()).effect).toEqual([{ ...state[0], content: { topic: 'first' } }]);
    await others.redact(first, extremities[0]!);
    expect((await audit(room.roomId)).at(-2)!.effect).toEqual([{ ...state[0], content: {} }]);
  });
});

describe('the state at a revision', () => {
  test('is the dictionary of that moment, with the root that the log recorded', async () => {
    const first = await room.setState('m.room.topic', { topic: 'first' });
    await room.say('between');
    await room.setState('m.room.topic', { topic: 'second' });
    const entries = await audit(room.roomId);

    const then = await stateAt(store, room.roomId, { revision: 3 });
    expect(then.root).toBe(entries[3]!.root);
    expect(then.state.find(({ type }) => type === 'm.room.topic')).toEqual({
      type: 'm.room.topic',
      state_key: '',
      event_id: first.eventId,
      content: { topic: 'first' },
    });
    expect(then.state.map(({ type }) => type).sort()).toEqual(['m.room.create', 'm.room.member', 'm.room.topic']);
    const now = await stateAt(store, room.roomId, { revision: 4 });
    expect(now.state.find(({ type }) => type === 'm.room.topic')?.content).toEqual({ topic: 'second' });
    expect(now.root).toBe(entries[4]!.root);
  });

  test('does not exist behind the end of the room, or without one', async () => {
    await expect(stateAt(store, room.roomId, { revision: 2 })).rejects.toThrow('no revision 2; its last is 1');
    await expect(stateAt(store, '!nowhere:a.example' as RoomId, { revision: 0 })).rejects.toMatchObject({
      errcode: 'M_NOT_FOUND',
    });
  });

  test('is that of the last fact before a time', async () => {
    const first = await room.setState('m.room.topic', { topic: 'first' });
    const second = await room.setState('m.room.topic', { topic: 'second' });
    const entries = await audit(room.roomId);
    const topicAt = async (before: number) =>
      (await stateAt(store, room.roomId, { before })).state.find(({ type }) => type === 'm.room.topic')?.event_id;
    expect(await topicAt(entries[2]!.at)).toBeUndefined();
    expect(await topicAt(entries[3]!.at)).toBe(first.eventId);
    expect(await topicAt(entries[3]!.at + 1)).toBe(second.eventId);
    await expect(topicAt(0)).rejects.toThrow('was not there yet');
  });
});

describe('the state after an event', () => {
  const CAROL = '@carol:b.example' as UserId;
  const carols = (topic: string, prevEvents: readonly EventId[]) => ({
    sender: CAROL,
    type: 'm.room.topic',
    stateKey: '',
    content: { topic },
    prevEvents,
  });
  let others: ForkedRoom;

  beforeEach(async () => {
    await room.setState('m.room.power_levels', { users: { [ALICE]: 100, [CAROL]: 50 } });
    await room.setState('m.room.join_rules', { join_rule: 'public' });
    others = new ForkedRoom(store, room);
    await others.join(CAROL);
  });

  const topicAfter = async (eventId: EventId) => {
    const { state, ...rest } = await stateAt(store, room.roomId, { eventId });
    return { ...rest, topic: state.find(({ type }) => type === 'm.room.topic')?.content['topic'] };
  };

  test('is its own, also where the room had gone another way, or the event is not for anybody', async () => {
    const before = await others.extremities();
    const alices = await room.setState('m.room.topic', { topic: "Alice's" });
    const fork = await others.receive(carols("Carol's", before));
    const said = await others.receive({ ...carols('', [fork.eventId]), type: 'm.room.message', stateKey: undefined });
    const hidden = await others.receive(carols('hidden', [fork.eventId]), 'pdu-soft-failed');
    expect((await topicAfter(alices.eventId)).topic).toBe("Alice's");
    expect((await topicAfter(said.eventId)).topic).toBe("Carol's");
    expect(await topicAfter(hidden.eventId)).toMatchObject({ topic: 'hidden', revision: 8 });
    const [fact] = (await others.facts()).filter(({ data }) => data.includes(`"event_id":"${fork.eventId}"`));
    expect((await topicAfter(fork.eventId)).root).toBe((JSON.parse(fact!.data) as PduAccepted).root);
  });

  test('tells nothing of what was redacted', async () => {
    const secret = await room.setState('m.room.topic', { topic: 'a secret' });
    await room.redact(secret);
    expect((await topicAfter(secret.eventId)).topic).toBeUndefined();
  });

  test('does not exist of an event that the room does not have', async () => {
    await expect(topicAfter('$none' as EventId)).rejects.toThrow('has no event $none');
    const elsewhere = stateAt(store, '!nowhere:a.example' as RoomId, { eventId: '$none' as EventId });
    await expect(elsewhere).rejects.toThrow('The log has no room');
  });
});
