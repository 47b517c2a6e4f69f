import { describe, expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { ROOM_VERSIONS } from '#protocol/room-versions/room-versions';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { ForeignServer } from '#testing/receiving/foreign-server';
import { type DraftOn, firstEvents, makeOn } from '#testing/receiving/make-on';
import { keysOf, MemoryRoom } from '#testing/receiving/memory-room';
import { problemsOf } from '#testing/receiving/verify-facts';
import type { EventDraft } from '../decide/decide-event.js';
import { decideAmongMany } from './decide-among-many.js';
import type { Outcome } from './outcome.js';

const A = new ForeignServer('a.example', 1);
const B = new ForeignServer('b.example', 2);
const ALICE = A.user('alice');
const BOB = B.user('bob');
const KEYS = keysOf(A, B);

/** A room that Alice's server shares with Bob's. */
class Branched {
  readonly room: MemoryRoom;
  private constructor(version: RoomVersion, roomId: RoomId) {
    this.room = new MemoryRoom(roomId, version, KEYS);
  }

  /** So many extremities, on each of which somebody has set the topic. */
  static async of(version: RoomVersion, extremities: number): Promise<Branched> {
    const first = await firstEvents(version, A, { [BOB]: 50 });
    const life = new Branched(version, first[0]!.event.roomId);
    for (const { text } of first) await life.room.receive(text);
    await life.arrive({ type: 'm.room.member', sender: BOB, stateKey: BOB, content: { membership: 'join' } });
    const fork = life.room.extremities.map(({ eventId }) => eventId);
    for (let i = 0; i < extremities; i++) {
      const sender = i % 2 === 0 ? ALICE : BOB;
      await life.arrive({ type: 'm.room.topic', sender, stateKey: '', content: { topic: `${i}` }, ts: i, prev: fork });
    }
    return life;
  }

  async arrive(draft: DraftOn): Promise<Outcome> {
    const { text } = await makeOn(this.room, draft.sender === BOB ? B : A, draft);
    return this.room.receive(text);
  }

  async decide(draft: Partial<EventDraft>): Promise<Outcome & { kind: 'accepted' }> {
    const author = { serverName: A.name, signingKey: A.signingKey };
    const whole = { type: 'm.room.message', sender: ALICE, content: { body: 'Hello' }, ...draft };
    const outcome = await decideAmongMany(this.room, whole, author, 1_000);
    this.room.apply(outcome);
    return outcome;
  }
}

describe.each(ROOM_VERSIONS)('in a room of version $id with more extremities than an event may name', (version) => {
  it('an event of ours stands on those open for longest, and leaves the others', async () => {
    const life = await Branched.of(version, 25);
    const extremities = life.room.extremities.map(({ eventId }) => eventId);
    const current = life.room.state.rootHash;
    const { event, header, current: after } = await life.decide({});
    expect(event.prevEvents.toSorted()).toEqual(extremities.slice(0, 20).toSorted());
    expect(header.extremities).toEqual([...extremities.slice(20), event.eventId]);
    expect(header).not.toHaveProperty('origin');
    expect(after.rootHash).toBe(current);
    const next = await life.decide({ txn: { device_id: 'D', txn_id: 't' } });
    expect(next.header).toMatchObject({ extremities: [next.event.eventId], txn: { txn_id: 't' } });
    expect(problemsOf(life.room, KEYS)).toEqual([]);
  });

  it('an event of ours of state is authorised by the state of those it stands on', async () => {
    const life = await Branched.of(version, 22);
    const { event, state } = await life.decide({ type: 'm.room.topic', stateKey: '', content: { topic: 'ours' } });
    expect(state.get('m.room.topic', '')).toBe(event.eventId);
    expect(problemsOf(life.room, KEYS)).toEqual([]);
  });
});

it.each(['1', '11', '12'])('who came in last may speak, and leave: version %s', async (id) => {
  const version = ROOM_VERSIONS.find((one) => one.id === id)!;
  const dave = A.user('dave');
  const member = (membership: string) => ({
    type: 'm.room.member',
    sender: dave,
    stateKey: dave,
    content: { membership },
  });
  for (const next of [{ sender: dave }, member('leave')]) {
    const life = await Branched.of(version, 45);
    const join = await life.decide(member('join'));
    expect(life.room.extremities.findIndex(({ eventId }) => eventId === join.event.eventId)).toBeGreaterThan(20);
    const { event } = await life.decide(next);
    expect(event.prevEvents).toContain(join.event.eventId);
    expect(problemsOf(life.room, KEYS)).toEqual([]);
  }
});

it('an event of ours is refused where the state before it or the current one does not allow it', async () => {
  const version = ROOM_VERSIONS.find(({ id }) => id === '11')!;
  const life = await Branched.of(version, 21);
  const stranger = { sender: A.user('mallory') };
  await expect(life.decide(stranger)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  const [newest] = life.room.extremities.slice(-1);
  const rule = { type: 'm.room.power_levels', sender: ALICE, stateKey: '' };
  const content = { users: { [ALICE]: 100 }, events: { 'm.x': 100, 'm.room.message': 100 }, users_default: 0 };
  await life.arrive({ ...rule, content, prev: [newest!.eventId] });
  const dave = { type: 'm.room.member', sender: A.user('dave'), stateKey: A.user('dave') };
  await life.arrive({ ...dave, content: { membership: 'join' }, prev: [life.room.extremities[0]!.eventId] });
  const extremities = life.room.extremities.length;
  await expect(life.decide({ sender: A.user('dave'), type: 'm.x' })).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  expect(life.room.extremities).toHaveLength(extremities);
});
