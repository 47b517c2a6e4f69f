import { afterEach, beforeEach, expect, test } from 'vitest';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { RoomId } from '#kernel/ids';
import { parseVerifyKey } from '#protocol/signing/signing-key';
import { RoomVerifier } from '#rooms/audit/verify-room';
import { roomStream } from '#rooms/facts/room-facts';
import { endAtEachStep } from '#testing/end-at-each-step';
import { TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { SyncApp, type SyncUser } from '#testing/sync-app';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';

const MINUTES = 10 * 60_000;
const SECRET = 'the secret word';

let store: MemoryEventStore;
let app: SyncApp;
let alice: SyncUser;

beforeEach(async () => {
  store = new MemoryEventStore();
  app = await SyncApp.start({ store, readModels: new MemoryReadModels() });
  alice = await app.register('alice');
});
afterEach(() => app.close());

/** The facts of a room, once so many are erased. */
async function factsOf(roomId: string, erased: number): Promise<RecordedFact[]> {
  const stream = roomStream(roomId as RoomId);
  const facts = (): RecordedFact[] => store.facts.filter((fact) => fact.stream === stream);
  await expect.poll(() => facts().filter(({ metadata }) => metadata.erased !== undefined).length).toBe(erased);
  return facts();
}

async function redact(roomId: string, eventId: string, content: object = {}): Promise<string> {
  const path = `/rooms/${encodeURIComponent(roomId)}/redact/${encodeURIComponent(eventId)}/t${eventId}`;
  return (await alice.ok('PUT', path, content)).event_id;
}

const ROOM_VIEWS = ['timeline', 'room-state', 'membership', 'room-summary', 'graph', 'relations', 'annotations'];

test.each(['6', '11'])(
  'what is redacted leaves the log, and all that is made of it is as before (room version %s)',
  async (version) => {
    const roomId = await alice.createRoom({ room_version: version });
    const events = [await alice.send(roomId, SECRET), await alice.setState(roomId, 'm.room.topic', { topic: SECRET })];
    await alice.send(roomId, 'said openly');
    events.push(await alice.setState(roomId, 'm.room.name', { name: SECRET }));
    const root = await alice.send(roomId, 'root');
    const relate = async (type: string, relation: object): Promise<void> => {
      const path = `/rooms/${encodeURIComponent(roomId)}/send/${type}/relate${events.length}`;
      const content = { body: SECRET, msgtype: 'm.text', 'm.relates_to': { event_id: root, ...relation } };
      const { event_id: eventId } = await alice.ok('PUT', path, content);
      events.push(eventId);
    };
    await relate('m.room.message', { rel_type: 'm.thread' });
    await relate('m.room.message', { rel_type: 'm.thread' });
    await relate('m.reaction', { rel_type: 'm.annotation', key: SECRET });
    await relate('m.room.message', { rel_type: 'm.reference' });
    await alice.setState(roomId, 'm.room.topic', { topic: 'open' });
    const redactions: string[] = [];
    for (const eventId of events) redactions.push(await redact(roomId, eventId, { reason: SECRET }));
    // So do the reasons that were given.
    for (const eventId of redactions) await redact(roomId, eventId);
    events.push(...redactions);
    const facts = await factsOf(roomId, events.length);
    expect(JSON.stringify(facts)).not.toContain(SECRET);

    const verifier = new RoomVerifier(roomId as RoomId, () => parseVerifyKey(TEST_AUTHOR.signingKey.publicKey));
    expect(facts.flatMap((fact) => verifier.check(fact))).toEqual([]);

    await expectSameRowsRebuilt(app, ROOM_VIEWS);
  },
);

test('a tail that holds anything but what remains of the event is found', async () => {
  const roomId = await alice.createRoom();
  await redact(roomId, await alice.send(roomId, SECRET));
  const facts = await factsOf(roomId, 1);
  const forged = facts.map((fact) => {
    if (fact.metadata.erased === undefined) return fact;
    return { ...fact, data: fact.data.replace('"m.room.message"', '"m.room.massage"') };
  });
  const verifier = new RoomVerifier(roomId as RoomId, () => parseVerifyKey(TEST_AUTHOR.signingKey.publicKey));
  expect(forged.flatMap((fact) => verifier.check(fact))).not.toEqual([]);
});

test(
  'a process that ends at any step of a redaction leaves nothing of the content in the log once the next one has run',
  async () => {
    const steps = await endAtEachStep({
      async prepare(running: SyncApp) {
        const user = await running.register('bob');
        const roomId = await user.createRoom();
        return { user, roomId, eventId: await user.send(roomId, SECRET) };
      },
      async act(running, { user, roomId, eventId }) {
        const path = `/rooms/${encodeURIComponent(roomId)}/redact/${encodeURIComponent(eventId)}/once`;
        await user.on(running).ok('PUT', path, {});
      },
      async check(running, { user, roomId, eventId }) {
        const path = `/rooms/${encodeURIComponent(roomId)}/redact/${encodeURIComponent(eventId)}/once`;
        await user.on(running).ok('PUT', path, {});
        const log = running.get<EventStore>(EVENT_STORE as never);
        const texts = async (): Promise<string> => {
          let text = '';
          for await (const { data } of log.readStream(roomStream(roomId as RoomId))) text += data;
          return text;
        };
        await expect.poll(texts).not.toContain(SECRET);
      },
    });
    expect(steps).toBeGreaterThan(2);
  },
  MINUTES,
);
