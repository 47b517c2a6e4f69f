import { describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { parseVerifyKey, type VerifyKey } from '#protocol/signing/signing-key';
import { ForkedRoom, OTHER_SERVER } from '#testing/forked-room';
import { ALICE, LocalRoom, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomVerifier } from '../audit/verify-room.js';
import { heldBefore, type PduAccepted } from '../facts/room-facts.js';
import { erasablePlaceIn, factWithPdu } from '../facts/fact-text.js';

const CAROL = OTHER_SERVER.user('carol');
const DAVE = '@dave:a.example' as UserId;
const KEYS = new Map<string, VerifyKey | undefined>([
  [TEST_AUTHOR.serverName, parseVerifyKey(TEST_AUTHOR.signingKey.publicKey)],
  [OTHER_SERVER.name, OTHER_SERVER.verifyKey],
]);

function problemsOf(roomId: RoomId, facts: readonly RecordedFact[]): string[] {
  const verifier = new RoomVerifier(roomId, (server) => KEYS.get(server));
  return facts.flatMap((fact) => verifier.check(fact)).map(({ problem }) => problem);
}

const bodyOf = ({ data }: RecordedFact): PduAccepted => JSON.parse(data) as PduAccepted;

/** A fact with some of what it says beside its PDU said otherwise. */
function saying(fact: RecordedFact, more: object): RecordedFact {
  const { pdu, ...header } = bodyOf(fact);
  return { ...fact, data: factWithPdu({ ...header, ...more }, JSON.stringify(pdu)) };
}

const topic = (text: string, prevEvents: readonly EventId[]) => ({
  sender: CAROL,
  type: 'm.room.topic',
  stateKey: '',
  content: { topic: text },
  prevEvents,
});

/** A room in which Carol of another server may set the topic, just as she and Alice have each set it, and Alice the name too. */
async function forked(): Promise<{ store: MemoryEventStore; room: LocalRoom; others: ForkedRoom; carols: EventId }> {
  const store = new MemoryEventStore();
  const room = await LocalRoom.begin(store);
  await room.setState('m.room.power_levels', { users: { [ALICE]: 100, [CAROL]: 50 } });
  await room.setState('m.room.join_rules', { join_rule: 'public' });
  const others = new ForkedRoom(store, room);
  await others.join(CAROL);
  const before = await others.extremities();
  await room.setState('m.room.topic', { topic: "Alice's" });
  await room.setState('m.room.name', { name: "Alice's" });
  const { eventId } = await others.receive(topic("Carol's", before));
  return { store, room, others, carols: eventId };
}

describe('a room whose history forks', () => {
  it('has both extremities, and the current state that they resolve to', async () => {
    const { others, room, carols } = await forked();
    const last = bodyOf((await others.facts()).at(-1)!);
    expect(last.extremities).toHaveLength(2);
    expect(last.current?.state).toMatchObject([{ type: 'm.room.topic', event_id: carols }]);
    expect(problemsOf(room.roomId, await others.facts())).toEqual([]);
  });

  it('is merged by the next event of ours, whose state is a change of the one after its first parent', async () => {
    const { others, room, carols } = await forked();
    const open = await others.extremities();
    const said = await room.say('hello');
    expect(said.prevEvents.toSorted()).toEqual(open.toSorted());
    const { extremities, state, current } = bodyOf((await others.facts()).at(-1)!);
    expect(extremities).toEqual([said.eventId]);
    // The end that is nearest to both is Alice's, which lacks Carol's topic alone.
    expect(said.prevEvents[1]).toBe(carols);
    expect(state).toMatchObject([{ type: 'm.room.topic', event_id: carols, replaces: expect.any(String) }]);
    expect(current?.state).toEqual([]);
    expect(problemsOf(room.roomId, await others.facts())).toEqual([]);
  });

  it('tells of an event that merges it what held its key in the state before it, which its base lacks', async () => {
    const { others, room, carols } = await forked();
    await room.setState('m.room.topic', { topic: 'ours' });
    const body = bodyOf((await others.facts()).at(-1)!);
    expect(body.state).toMatchObject([{ replaces: expect.any(String) }]);
    expect(body.state[0]!.replaces).not.toBe(carols);
    expect([body.held_before, heldBefore(body)]).toEqual([carols, carols]);
    const facts = await others.facts();
    expect(problemsOf(room.roomId, facts)).toEqual([]);
    const silent = [...facts.slice(0, -1), saying(facts.at(-1)!, { held_before: undefined })];
    expect(problemsOf(room.roomId, silent)).toEqual([
      expect.stringContaining(`its key was held by ${carols} before it`),
    ]);
  });

  it('goes on beyond an event of the greatest depth there is', async () => {
    const { others, room } = await forked();
    const deep = { sender: CAROL, type: 'm.room.message', content: {}, depth: Number.MAX_SAFE_INTEGER };
    await others.receive({ ...deep, prevEvents: await others.extremities() });
    expect((await room.say('hello')).depth).toBe(Number.MAX_SAFE_INTEGER);
    expect(problemsOf(room.roomId, await others.facts())).toEqual([]);
  });

  it('takes what stands on the past without changing what is now, soft-failed, rejected or late', async () => {
    const { others, room } = await forked();
    const extremities = await others.extremities();
    await room.say('hello');
    const unkind = { sender: CAROL, type: 'm.room.message', content: { body: 'unkind' } };
    const soft = await others.receive({ ...unkind, prevEvents: extremities }, 'pdu-soft-failed');
    await others.receive({ ...unkind, type: 'm.room.create', stateKey: 'x', prevEvents: extremities }, 'pdu-rejected', {
      reason: 'there is a create event',
    });
    const next = await room.say('again');
    expect(next.prevEvents).not.toContain(soft.eventId);
    await others.receive({ ...unkind, prevEvents: [soft.eventId, next.eventId] });
    expect(problemsOf(room.roomId, await others.facts())).toEqual([]);
  });

  it('may carry what it makes current again, which is found out where it is not what was signed', async () => {
    const { others, room, carols } = await forked();
    await room.setMembership(DAVE, 'join');
    await room.setState('m.room.power_levels', { users: { [ALICE]: 100, [CAROL]: 100, [DAVE]: 50 } });
    await room.send({ type: 'm.room.topic', stateKey: '', content: { topic: "Dave's" }, sender: DAVE });
    // Carol takes Dave's rights away where he had not set it yet: the one before his is current again.
    const levels = (await others.facts()).findLast(({ data }) => data.includes('"type":"m.room.power_levels"'))!;
    const users = { [ALICE]: 100, [CAROL]: 100 };
    const draft = { sender: CAROL, type: 'm.room.power_levels', stateKey: '', content: { users } };
    await others.receive({ ...draft, prevEvents: [bodyOf(levels).event_id] });
    const facts = await others.facts();
    const last = facts.at(-1)!;
    const carried = bodyOf(last).state_pdus!;
    expect(Object.keys(carried)).toEqual([carols]);
    expect(last.data.slice(erasablePlaceIn(last.type, last.data))).toMatch(/^\{"\$.*,"pdu":\{/);
    expect(problemsOf(room.roomId, facts)).toEqual([]);
    const forged = { state_pdus: { [carols]: carried[carols]!.replace("Carol's", "Mallory's") } };
    expect(problemsOf(room.roomId, [...facts.slice(0, -1), saying(last, forged)])).toEqual([
      expect.stringContaining(`what it carries as ${carols} is not that`),
    ]);
  });

  it.each([
    ['extremities', { extremities: [] }, 'the extremities after it are'],
    ['the current root', { current: { state: [], root: 'x' } }, 'the current state after it has the root'],
    ['no current state', { current: undefined }, 'changes the current state otherwise, which is not told'],
    ['another change', { state: [] }, 'the state delta is not its own effect'],
    ['another visibility', { visibility: 'joined' }, 'the history visibility at it is shared'],
    ['what it carries', { state_pdus: { $x: '{}' } }, 'what it carries as $x is not that'],
  ])('is found out where a fact of it tells of %s', async (_, told, words) => {
    const { others, room } = await forked();
    const facts = await others.facts();
    const changed = [...facts.slice(0, -1), saying(facts.at(-1)!, told)];
    expect(problemsOf(room.roomId, changed).join('\n')).toContain(words);
  });
});
