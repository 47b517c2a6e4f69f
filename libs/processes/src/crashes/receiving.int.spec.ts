import { expect, test } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { RoomVerifier } from '#rooms/audit/verify-room';
import type { Receipt } from '#rooms/commands/receiving';
import type { ServerKeys } from '#rooms/server-keys';
import { endAtEachStep } from '#testing/end-at-each-step';
import { TEST_AUTHOR } from '#testing/local-room';
import { ForeignServer } from '#testing/receiving/foreign-server';
import { type DraftOn, makeOn } from '#testing/receiving/make-on';
import { keysKnownTo, MemoryRoom } from '#testing/receiving/memory-room';
import { factsOf, Receiver, tellAccepted } from '#testing/receiving/receiver';
import { SyncApp, type SyncUser } from '#testing/sync-app';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';

const MINUTES = 10 * 60_000;
const OTHER = new ForeignServer('b.example', 2);
const BOB = OTHER.user('bob');
const KEYS: ServerKeys = keysKnownTo(TEST_AUTHOR, OTHER);

/** What the other server's users do in the room, of which ours hears in the wrong order, not all of it, and some of it late. */
async function livesOn(there: MemoryRoom) {
  const made = async (draft: Omit<DraftOn, 'sender'>) => {
    const pdu = await makeOn(there, OTHER, { sender: BOB, ...draft });
    await there.receive(pdu.text);
    return pdu;
  };
  const member = (displayname: string) =>
    made({ type: 'm.room.member', stateKey: BOB, content: { membership: 'join', displayname } });
  const says = (body: string, more: Partial<DraftOn> = {}) =>
    made({ type: 'm.room.message', content: { body }, ...more });
  const join = await member('Bob');
  const prev = [join.event.eventId];
  const [first, fork, forged] = [
    await says('first', { prev }),
    await says('fork', { prev }),
    await made({ type: 'm.room.topic', stateKey: '', content: {}, prev }),
  ];
  const second = await says('second', { prev: [first.event.eventId] });
  const redaction = await made({ type: 'm.room.redaction', redacts: fork.event.eventId, prev });
  const lost = await member('Robert');
  const state = [...there.state.entries()].map(({ eventId }) => eventId);
  const last = await says('after the gap');
  return { join, first, fork, forged, second, redaction, lost, state, last };
}

/** In this order, everything is received in the end. `acknowledged` hears of what has landed. */
async function receiveAll(
  receiver: Receiver,
  life: Awaited<ReturnType<typeof livesOn>>,
  acknowledged: Map<EventId, string>,
) {
  const note = ({ received, released }: Receipt): void => {
    for (const one of [...received, ...released]) {
      if (one.kind === 'dropped' || one.kind === 'missing') continue;
      acknowledged.set(one.eventId, one.kind === 'known' ? one.outcome : one.kind);
    }
  };
  note(await receiver.pdus(life.second.text, life.last.text));
  note(await receiver.pdus(life.join.text, life.redaction.text, life.forged.text));
  note(await receiver.pdus(life.first.text));
  note(await receiver.pdus(life.fork.text));
  note(await receiver.outliers(life.lost.text));
  note(await receiver.state(life.last.event.eventId, life.state));
  note(await receiver.pdus(life.lost.text));
}

function outcomesOf(facts: readonly RecordedFact[]): Map<EventId, string[]> {
  const outcomes = new Map<EventId, string[]>();
  for (const { type, data } of facts) {
    if (!type.startsWith('pdu-') && type !== 'outlier-stored') continue;
    const { event_id: eventId } = JSON.parse(data) as { event_id: EventId };
    outcomes.set(eventId, [...(outcomes.get(eventId) ?? []), type.replace('pdu-', '').replace('-stored', '')]);
  }
  return outcomes;
}

test(
  'a process that ends at any step of receiving keeps what it acknowledged, and once it has received the rest, it has all, each once',
  async () => {
    const acknowledged = new Map<EventId, string>();
    const steps = await endAtEachStep({
      async prepare(app: SyncApp) {
        const alice: SyncUser = await app.register('alice');
        const roomId = (await alice.createRoom({ preset: 'public_chat', room_version: '11' })) as RoomId;
        const there = new MemoryRoom(roomId, findRoomVersion('11')!, KEYS);
        await tellAccepted(app, roomId, there);
        return { alice, roomId, life: await livesOn(there) };
      },
      async act(app, { roomId, life }) {
        acknowledged.clear();
        await receiveAll(new Receiver(app, roomId, OTHER.name, KEYS), life, acknowledged);
      },
      async check(app, { alice, roomId, life }) {
        const told = new Map(acknowledged);
        const before = outcomesOf(await factsOf(app, roomId));
        for (const [eventId, outcome] of told)
          expect({ [eventId]: before.get(eventId) }).toMatchObject({ [eventId]: expect.arrayContaining([outcome]) });
        await receiveAll(new Receiver(app, roomId, OTHER.name, KEYS), life, new Map());
        const facts = await factsOf(app, roomId);
        const outcomes = outcomesOf(facts);
        const of = ({ event }: { readonly event: { readonly eventId: EventId } }): unknown =>
          outcomes.get(event.eventId);
        expect([life.join, life.first, life.second, life.redaction, life.last].map(of)).toEqual(
          Array.from({ length: 5 }, () => ['accepted']),
        );
        expect(of(life.fork)).toEqual(['accepted', 'redacted']);
        expect(of(life.forged)).toEqual(['rejected']);
        expect(of(life.lost)).toEqual(['outlier', 'accepted']);
        const verifier = new RoomVerifier(roomId, (name, keyId) => KEYS.find(name as ServerName, keyId)?.key);
        expect(facts.flatMap((fact) => verifier.check(fact))).toEqual([]);
        await alice.on(app).send(roomId, 'hello');
        const { timeline } = (await alice.on(app).sync()).rooms.join[roomId];
        expect(timeline.events.at(-1).content.body).toBe('hello');
        await expectSameRowsRebuilt(app, ['graph', 'timeline', 'room-state', 'membership']);
      },
    });
    expect(steps).toBeGreaterThan(10);
  },
  MINUTES,
);

test(
  'views that are rebuilt while events are received are what they would be otherwise',
  async () => {
    const app = await SyncApp.start();
    try {
      const alice = await app.register('alice');
      const roomId = (await alice.createRoom({ preset: 'public_chat', room_version: '11' })) as RoomId;
      const there = new MemoryRoom(roomId, findRoomVersion('11')!, KEYS);
      await tellAccepted(app, roomId, there);
      const receiver = new Receiver(app, roomId, OTHER.name, KEYS);
      const life = await livesOn(there);
      const names = ['graph', 'timeline', 'room-state', 'membership', 'relations'];
      const rebuild = (name: string) => app.views.operations.rebuild(name, { switchByHand: false, fromStart: false });
      for (const name of names) await rebuild(name);
      await receiveAll(receiver, life, new Map());
      for (let i = 0; i < 120; i++) {
        const prev = [...there.extremities.map(({ eventId }) => eventId), life.first.event.eventId].slice(i % 2, 2);
        const say = { type: 'm.room.message', sender: BOB, content: { body: `${i}` }, prev };
        const topic = {
          ...say,
          type: 'm.room.member',
          stateKey: BOB,
          content: { membership: 'join', displayname: `${i}` },
        };
        const pdu = await makeOn(there, OTHER, i % 5 === 0 ? topic : say);
        await there.receive(pdu.text);
        await receiver.pdus(pdu.text);
        if (i === 60) for (const name of names) await rebuild(name).catch(() => {});
      }
      const settled = async (): Promise<void> => {
        for (const name of names)
          await expect.poll(async () => (await app.views.operations.status(name)).next).toBeUndefined();
      };
      await settled();
      const rows = await Promise.all(names.map((name) => app.views.operations.checksum(name)));
      for (const name of names) await rebuild(name);
      await settled();
      expect(await Promise.all(names.map((name) => app.views.operations.checksum(name)))).toEqual(rows);
    } finally {
      await app.close();
    }
  },
  MINUTES,
);
