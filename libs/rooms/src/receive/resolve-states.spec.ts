import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { EventId } from '#kernel/ids';
import { ROOM_VERSIONS } from '#protocol/room-versions/room-versions';
import { resolveState } from '#protocol/state-resolution/resolve-state';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import { ForeignServer } from '#testing/receiving/foreign-server';
import { type DraftOn, makeOn, openRoom } from '#testing/receiving/make-on';
import type { MemoryRoom } from '#testing/receiving/memory-room';
import { resolveStates } from './resolve-states.js';

const A = new ForeignServer('a.example', 1);
const B = new ForeignServer('b.example', 2);
const ALICE = A.user('alice');
const [BOB, VICTOR] = [B.user('bob'), B.user('victor')];
const version = ROOM_VERSIONS.find(({ id }) => id === '11')!;

const memberOf = (user: string, membership: string) => ({
  type: 'm.room.member',
  stateKey: user,
  content: { membership },
});

describe('resolving states of a room that is read from rows', () => {
  let room: MemoryRoom;
  beforeAll(async () => {
    room = await openRoom(version, [A, B]);
    await send(BOB, memberOf(BOB, 'join'));
    await send(VICTOR, memberOf(VICTOR, 'join'));
  });

  async function send(sender: string, draft: Omit<DraftOn, 'sender'>): Promise<EventId> {
    const { event, text } = await makeOn(room, sender.endsWith(A.name) ? A : B, { ...draft, sender });
    await room.receive(text);
    return event.eventId;
  }

  /** By all events there are, and by those that were asked for. */
  async function resolve(states: StateTrie[]): Promise<StateTrie> {
    const all = { get: (id: EventId) => room.known.get(id)?.event, rejectionOf: () => undefined };
    const resolved = await resolveStates(states, room);
    expect(resolved.rootHash).toBe(resolveState(states, version, all).rootHash);
    return resolved;
  }

  it('looks at what all states agree on, though no event in conflict names it', async () => {
    const topic = { type: 'm.room.topic', stateKey: '' };
    await send(BOB, { ...topic, content: { topic: 'late' }, ts: 9_000 });
    const ban = await send(ALICE, memberOf(BOB, 'ban'));
    const early = await send(ALICE, { ...topic, content: { topic: 'early' }, ts: 1 });
    const resolved = await resolve([room.after(ban), room.after(early)]);
    // Bob's is the later one, but in both states he is banned.
    expect(resolved.get('m.room.topic', '')).toBe(early);
  });

  it('looks for what only the auth chain of an event outside the conflict holds', async () => {
    const DAVE = B.user('dave');
    const fork = room.extremities.map(({ eventId }) => eventId);
    const join = await send(DAVE, memberOf(DAVE, 'join'));
    const rule = { type: 'm.room.join_rules', stateKey: '', content: { join_rule: 'invite' }, prev: fork };
    let closed = room.after(await send(ALICE, rule));
    // So many that the rule of now, whose place is after Victor's, is not read with them before his chain tells enough.
    const create = room.createEvent!.eventId;
    for (let i = 0; i < 20_000; i++) closed = closed.set('large', String(i), create);
    // Victor's join rests on the rule that the room was open, in both states: it is no difference, and Dave's join not allowed.
    const resolved = await resolve([closed, closed.set('m.room.member', DAVE, join)]);
    expect(resolved.get('m.room.member', DAVE)).toBeUndefined();
  });

  it('reads nothing that all states agree on where both sides rest on the same superseded event', async () => {
    const ERIN = B.user('erin');
    await send(ERIN, memberOf(ERIN, 'join'));
    const fork = room.extremities.map(({ eventId }) => eventId);
    const named = (displayname: string) => ({
      ...memberOf(ERIN, 'join'),
      content: { membership: 'join', displayname },
      prev: fork,
    });
    const extremities = [await send(ERIN, named('one')), await send(ERIN, named('two'))];
    const create = room.createEvent!.eventId;
    let large = room.after(extremities[0]!);
    for (let i = 0; i < 5_000; i++) large = large.set('large', `$unread${i}`, `$unread${i}` as EventId);
    const other = large.set('m.room.member', ERIN, extremities[1]!);
    const asked: EventId[] = [];
    const find = room.find.bind(room);
    vi.spyOn(room, 'find').mockImplementation((ids) => {
      asked.push(...ids);
      return find(ids);
    });
    await resolve([large, other]);
    vi.restoreAllMocks();
    expect(asked).toContain(create);
    expect(asked.filter((eventId) => eventId.startsWith('$unread'))).toEqual([]);
  });
});

describe('resolving states of a room of version 1 that is read from rows', () => {
  it('judges those in conflict by what all states agree on now, which they could not name yet', async () => {
    const first = ROOM_VERSIONS.find(({ id }) => id === '1')!;
    const room = await openRoom(first, [A, B]);
    const fork = room.extremities.map(({ eventId }) => eventId);
    const send = async (draft: Omit<DraftOn, 'sender' | 'prev'>, prev: readonly EventId[]): Promise<EventId> => {
      const { event, text } = await makeOn(room, A, { ...draft, sender: ALICE, prev });
      expect((await room.receive(text)).kind).toBe('accepted');
      return event.eventId;
    };
    const topic = { type: 'm.room.topic', stateKey: '' };
    const said = { type: 'm.room.message' };
    const renamed = await send({ ...memberOf(ALICE, 'join'), content: { membership: 'join', displayname: 'A' } }, fork);
    const shallow = await send({ ...topic, content: { topic: 'shallow' } }, fork);
    const deep = await send({ ...topic, content: { topic: 'deep' }, depth: 100 }, fork);
    const extremities = [await send(said, [shallow, renamed]), await send(said, [deep, renamed])];
    const states = extremities.map((eventId) => room.after(eventId));
    expect(states.map((state) => state.get('m.room.member', ALICE))).toEqual([renamed, renamed]);
    expect((await resolveStates(states, room)).get('m.room.topic', '')).toBe(deep);
  });
});
