import { describe, expect, it } from 'vitest';
import { EventStoreUnavailable } from '#event-store/event-store-errors';
import type { EventId, RoomId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import { ALICE, BOB, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { ownKey } from '../commands/own-key.js';
import type { PduAccepted } from '../facts/room-facts.js';
import { type Policy, policyEventIdOf, type PolicyVerdict } from '../room-policy.js';

const ALLOWED: PolicyVerdict = { isAllowed: true };
const VERSIONS = ['1', '11', '12'];

/** A server with this policy, and a room of Alice's that Bob is in. */
async function homeWith(policy: Policy, room_version = '11'): Promise<{ home: RoomCommands; roomId: RoomId }> {
  const home = new RoomCommands(new RoomViews(new MemoryEventStore()), TEST_AUTHOR, ownKey(TEST_AUTHOR), policy);
  const roomId = await home.open({ room_version });
  await home.join(BOB, roomId);
  return { home, roomId };
}

const isSaying = ({ content }: RoomEvent, body: string): boolean => content['body'] === body;
const lastOf = (home: RoomCommands, roomId: RoomId): PduAccepted =>
  JSON.parse(home.facts(roomId, 'pdu-accepted').at(-1)!.data) as PduAccepted;

const problemsOf = (home: RoomCommands, roomId: RoomId): string[] => home.problems(roomId);

/** A policy that waits, for what says so, until it is told what to say. */
function waiting(body: string): {
  policy: Policy;
  asked: Promise<RoomEvent>;
  answer: (verdict: PolicyVerdict) => void;
} {
  let ask: (event: RoomEvent) => void = () => {};
  let answer: (verdict: PolicyVerdict) => void = () => {};
  const asked = new Promise<RoomEvent>((resolve) => (ask = resolve));
  const answered = new Promise<PolicyVerdict>((resolve) => (answer = resolve));
  const policy: Policy = (event) => {
    if (!isSaying(event, body)) return Promise.resolve(ALLOWED);
    ask(event);
    return answered;
  };
  return { policy, asked, answer: (verdict) => answer(verdict) };
}

describe('a policy', () => {
  it.each(VERSIONS)('sees each event of ours as it is appended, signed (room version %s)', async (version) => {
    const seen: RoomEvent[] = [];
    const { home, roomId } = await homeWith((event) => {
      seen.push(structuredClone(event));
      return Promise.resolve(ALLOWED);
    }, version);
    const said = await home.send(ALICE, roomId);
    await home.setState(ALICE, roomId, 'm.room.topic', { topic: 'T' });
    const stored = home.facts(roomId, 'pdu-accepted').map(({ data }) => JSON.parse(data) as PduAccepted);
    expect(seen.map(({ eventId, pdu }) => [eventId, pdu])).toEqual(stored.map(({ event_id, pdu }) => [event_id, pdu]));
    expect(seen.map(({ eventId }) => eventId)).toContain(said);
    expect(problemsOf(home, roomId)).toEqual([]);
  });

  it.each(VERSIONS)('has its signature added to each event of ours (room version %s)', async (version) => {
    const signed = { signer: 'policy.example', keyId: 'ed25519:policy_server', signature: 'c2lnbmVk' };
    const { home, roomId } = await homeWith(() => Promise.resolve({ isAllowed: true, signed }), version);
    await home.send(ALICE, roomId);
    await home.setState(ALICE, roomId, 'm.room.topic', { topic: 'T' });
    for (const { data } of home.facts(roomId, 'pdu-accepted')) {
      const { pdu } = JSON.parse(data) as { pdu: { signatures: object } };
      expect(pdu.signatures).toMatchObject({
        'policy.example': { 'ed25519:policy_server': 'c2lnbmVk' },
        'a.example': {},
      });
    }
    expect(problemsOf(home, roomId)).toEqual([]);
  });

  it('is not asked for what names it, nor anything of a room that it says nothing of', async () => {
    const seen: string[] = [];
    const counting: Policy = ({ type }) => {
      seen.push(type);
      return Promise.resolve(ALLOWED);
    };
    const policy = Object.assign(counting, { concerns: (state: StateTrie) => policyEventIdOf(state) !== undefined });
    const { home, roomId } = await homeWith(policy);
    await home.send(ALICE, roomId);
    await home.setState(ALICE, roomId, 'm.room.policy', { via: 'b.example' });
    expect(seen).toEqual([]);
    await home.send(ALICE, roomId);
    await home.setState(ALICE, roomId, 'm.room.policy', {});
    expect(seen).toEqual(['m.room.message']);
  });

  it('is asked again where the room names another one meanwhile', async () => {
    const by: (EventId | undefined)[] = [];
    let during = async (): Promise<unknown> => undefined;
    const noting: Policy = async (event, { policyEvent }) => {
      if (!isSaying(event, 'x')) return ALLOWED;
      by.push(policyEvent?.eventId);
      const change = during;
      during = async () => undefined;
      await change();
      return ALLOWED;
    };
    const policy = Object.assign(noting, { concerns: (state: StateTrie) => policyEventIdOf(state) !== undefined });
    const { home, roomId } = await homeWith(policy);
    const first = await home.setState(ALICE, roomId, 'm.room.policy', { via: 'b.example' });
    let second: unknown;
    during = async () => {
      // Of two of one moment the event id would decide.
      home.now++;
      second = await home.setState(ALICE, roomId, 'm.room.policy', { via: 'c.example' });
    };
    await home.send(ALICE, roomId, { body: 'x' });
    expect(by).toEqual([first, second]);
  });

  it('refuses what it does not want, and nothing of it is there', async () => {
    const { home, roomId } = await homeWith((event) =>
      Promise.resolve(isSaying(event, 'spam') ? { isAllowed: false, reason: 'This is spam' } : ALLOWED),
    );
    const facts = home.facts(roomId).length;
    await expect(home.send(ALICE, roomId, { body: 'spam' })).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
      status: 403,
      message: 'This is spam',
    });
    expect(home.facts(roomId)).toHaveLength(facts);
    await home.send(ALICE, roomId, { body: 'ham' });
    expect(home.facts(roomId)).toHaveLength(facts + 1);
  });

  it('is not asked what may not be sent at all', async () => {
    const seen: RoomEvent[] = [];
    const { home, roomId } = await homeWith((event) => {
      seen.push(event);
      return Promise.resolve(ALLOWED);
    });
    const before = seen.length;
    await expect(home.setState(BOB, roomId, 'm.room.topic', {})).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
    expect(seen).toHaveLength(before);
  });

  it('is not waited for by others in the room, whose events the one it allows then stands beside', async () => {
    const { policy, asked, answer } = waiting('slow');
    const { home, roomId } = await homeWith(policy);
    const before = lastOf(home, roomId).event_id;
    const slow = home.send(ALICE, roomId, { body: 'slow' }, 'once');
    const { eventId } = await asked;
    const quick = await home.send(BOB, roomId, { body: 'quick' });
    await home.setState(ALICE, roomId, 'm.room.topic', { topic: 'T' });
    const open = [lastOf(home, roomId).event_id];
    answer(ALLOWED);
    expect(await slow).toBe(eventId);
    const { pdu, extremities, txn } = lastOf(home, roomId);
    expect([pdu['prev_events'], extremities]).toEqual([[before], [...open, eventId]]);
    expect(txn).toMatchObject({ txn_id: 'once' });
    expect(await home.send(ALICE, roomId, { body: 'slow' }, 'once')).toBe(eventId);
    await home.send(BOB, roomId, { body: 'next' });
    expect(new Set(lastOf(home, roomId).pdu['prev_events'] as EventId[])).toEqual(new Set([...open, eventId]));
    expect(quick).not.toBe(eventId);
    expect(problemsOf(home, roomId)).toEqual([]);
  });

  it('may allow what the room does not allow any more: then it is refused, and nothing of it is there', async () => {
    const { policy, asked, answer } = waiting('late');
    const { home, roomId } = await homeWith(policy);
    const late = home.send(BOB, roomId, { body: 'late' });
    await asked;
    await home.on(ALICE, 'ban', roomId, BOB);
    const facts = home.facts(roomId).length;
    answer(ALLOWED);
    await expect(late).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
    expect(home.facts(roomId)).toHaveLength(facts);
  });

  it('lets the same be sent once by a device that asks twice at a time', async () => {
    const { policy, asked, answer } = waiting('twice');
    const { home, roomId } = await homeWith(policy);
    const both = [1, 2].map(() => home.send(ALICE, roomId, { body: 'twice' }, 'T'));
    await asked;
    answer(ALLOWED);
    const [first, second] = await Promise.all(both);
    expect(first).toBe(second);
    expect(home.events(roomId).filter(({ content }) => (content as { body?: string }).body === 'twice')).toHaveLength(
      1,
    );
  });

  it('is asked again where the same task would send something else by then', async () => {
    const seen: string[] = [];
    const { home, roomId } = await homeWith((event) => {
      seen.push(event.type);
      return Promise.resolve(ALLOWED);
    });
    seen.length = 0;
    let runs = 0;
    const { result } = await home.workers.run(roomId, { actor: ALICE }, (turn) => {
      runs++;
      return turn.send({ type: runs === 1 ? 'm.first' : 'm.then', sender: ALICE, content: {} });
    });
    expect([runs, result.type, seen]).toEqual([3, 'm.then', ['m.first', 'm.then']]);
    expect(lastOf(home, roomId).event_id).toBe(result.eventId);
  });

  it('that is asked for ever other things is given up', async () => {
    const { home, roomId } = await homeWith(() => Promise.resolve(ALLOWED));
    const facts = home.facts(roomId).length;
    let runs = 0;
    const always = home.workers.run(roomId, { actor: ALICE }, (turn) =>
      turn.send({ type: `m.n${runs++}`, sender: ALICE, content: {} }),
    );
    // No refusal, which would be final to what follows from a fact.
    await expect(always).rejects.toThrow(EventStoreUnavailable);
    expect(home.facts(roomId)).toHaveLength(facts);
  });
});
