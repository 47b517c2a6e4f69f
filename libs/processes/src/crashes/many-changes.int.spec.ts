import { expect, test } from 'vitest';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { RoomVerifier } from '#rooms/audit/verify-room';
import type { ServerKeys } from '#rooms/server-keys';
import { RoomWorkers } from '#rooms/worker/room-workers';
import { endAtEachStep } from '#testing/end-at-each-step';
import { TEST_AUTHOR } from '#testing/local-room';
import { ForeignServer } from '#testing/receiving/foreign-server';
import { makeGap } from '#testing/receiving/make-gap';
import { keysKnownTo } from '#testing/receiving/memory-room';
import { factsOf, Receiver } from '#testing/receiving/receiver';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';

const MINUTES = 10 * 60_000;
const OTHER = new ForeignServer('b.example', 2);
const KEYS: ServerKeys = keysKnownTo(TEST_AUTHOR, OTHER);
/** Few and large: their events are more than goes into two writes. */
const MEMBERS = 30;
const NAME = 'x'.repeat(40_000);

/** A room of Alice's, in which all is known of what others did but the event behind it. */
async function gapIn(app: SyncApp) {
  const alice: SyncUser = await app.register('alice');
  const roomId = (await alice.createRoom({ preset: 'public_chat', room_version: '11' })) as RoomId;
  const { result: head } = await app.get(RoomWorkers).run(roomId, { actor: alice.userId }, async (turn) => turn.head);
  const gap = makeGap({ roomId, version: findRoomVersion('11')!, head }, OTHER, MEMBERS, NAME);
  const receiver = new Receiver(app, roomId, OTHER.name, KEYS);
  await receiver.outliers(...gap.members.map(({ text }) => text));
  await receiver.state(gap.said.event.eventId, gap.state);
  return { alice, roomId, gap };
}

test('all that was told in parts is news of one /sync, with the event behind it, and each is given as its server signed it', async () => {
  const app = await SyncApp.start();
  try {
    const { alice, roomId, gap } = await gapIn(app);
    const { next_batch: since } = await alice.sync();
    await new Receiver(app, roomId, OTHER.name, KEYS).pdus(gap.said.text);
    const { state, timeline } = (await alice.sync({ since })).rooms.join[roomId];
    expect(timeline.events.map(({ type }: { type: string }) => type)).toEqual(['m.room.message']);
    expect(state.events).toHaveLength(MEMBERS);
    const signed = await alice.sync({ since, filter: { event_format: 'federation' } });
    const { signatures, auth_events: auth } = signed.rooms.join[roomId].state.events[0];
    expect(Object.keys(signatures)).toEqual([OTHER.name]);
    expect(auth.length).toBeGreaterThan(0);
  } finally {
    await app.close();
  }
});

test(
  'a process that ends while a change is told in parts has shown none of it, or all; then it is told anew, and what was told in vain can be erased too',
  async () => {
    const steps = await endAtEachStep({
      prepare: gapIn,
      async act(app, { roomId, gap }) {
        return new Receiver(app, roomId, OTHER.name, KEYS).pdus(gap.said.text);
      },
      async check(app, { alice, roomId, gap }, answer) {
        const me = alice.on(app);
        const countMembers = async (): Promise<number> => {
          const { joined } = await me.ok('GET', `${roomPath(roomId)}/joined_members`);
          return Object.keys(joined).length;
        };
        const said = (await factsOf(app, roomId)).filter(isOf('pdu-accepted', gap.said.event.eventId));
        if (answer !== undefined) expect(said).toHaveLength(1);
        expect(await countMembers()).toBe(1 + said.length * MEMBERS);
        const { received } = await new Receiver(app, roomId, OTHER.name, KEYS).pdus(gap.said.text);
        expect(received).toMatchObject([{ kind: said.length === 0 ? 'accepted' : 'known' }]);
        expect(await countMembers()).toBe(1 + MEMBERS);
        const { state, timeline } = (await me.sync()).rooms.join[roomId];
        expect(timeline.events.at(-1).content.body).toBe('after the gap');
        expect([...state.events, ...timeline.events].filter(({ type }) => type === 'm.room.member')).toHaveLength(
          1 + MEMBERS,
        );
        const parts = (await factsOf(app, roomId)).filter(({ type }) => type === 'change-told');
        expect(parts.length).toBeGreaterThan(MEMBERS / 3);
        const { eventId } = gap.members[7]!.event;
        await me.ok('PUT', `${roomPath(roomId)}/redact/${encodeURIComponent(eventId)}/t`, {});
        const holds = async (): Promise<boolean> =>
          (await factsOf(app, roomId)).some(({ data }) => data.includes('"7 xxx'));
        await expect.poll(holds).toBe(false);
        const verifier = new RoomVerifier(roomId, (name, keyId) => KEYS.find(name as ServerName, keyId)?.key);
        expect((await factsOf(app, roomId)).flatMap((fact) => verifier.check(fact))).toEqual([]);
        await expectSameRowsRebuilt(app, ['graph', 'timeline', 'room-state', 'membership']);
      },
    });
    // Three writes of facts, and the views.
    expect(steps).toBeGreaterThan(3);
  },
  MINUTES,
);

function isOf(type: string, eventId: EventId): (fact: { readonly type: string; readonly data: string }) => boolean {
  return (fact) => fact.type === type && (JSON.parse(fact.data) as { event_id: EventId }).event_id === eventId;
}
