import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { CommandBus } from '@nestjs/cqrs';
import { renderServiceEvent } from '#appservices/texts/render-service-events';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { loadConfig } from '#config/config';
import { systemClock } from '#kernel/clock';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { parseVerifyKey } from '#protocol/signing/signing-key';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { RoomVerifier } from '#rooms/audit/verify-room';
import { roomStream } from '#rooms/facts/room-facts';
import { EXPIRED_UP_TO } from '#rooms/projections/retention.projector';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { readLoggedPdus } from '#rooms/queries/read-pdus';
import { textsFor } from '#rooms/queries/serve-events';
import { findServerReader } from '#rooms/reading/server-reader';
import { Badges } from '#sync/unread/badges';
import { endAtEachStep } from '#testing/end-at-each-step';
import { ForkedRoom, OTHER_SERVER } from '#testing/forked-room';
import { TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { ForeignServer } from '#testing/receiving/foreign-server';
import { makeOn } from '#testing/receiving/make-on';
import { GATEWAY_AUTHORITY, PushGateway, pusherAt } from '#testing/push-gateway';
import { keysKnownTo, MemoryRoom } from '#testing/receiving/memory-room';
import { factsOf, Receiver, tellAccepted } from '#testing/receiving/receiver';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';
import type { HeldClock } from '#projections/held-clock';
import { ExpiredEvents } from './expired-events.js';
import { RuleRetention } from './rule-retention.js';

const MINUTES = 10 * 60_000;
const HOUR = 60 * 60_000;
const SECRET = 'platypus';
const ON = { ANNALS_RETENTION: 'on' };
const UNSTABLE = '/_matrix/client/unstable/org.matrix.msc1763/retention/configuration';
const SLIDING = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let roomId: RoomId;

async function begin(settings: Readonly<Record<string, string>> = ON): Promise<void> {
  app = await SyncApp.start({ store: new MemoryEventStore(), readModels: new MemoryReadModels() }, settings);
  [alice, bob] = [await app.register('alice'), await app.register('bob')];
  roomId = (await alice.createRoom({ preset: 'public_chat', room_version: '11' })) as RoomId;
  await bob.join(roomId);
  await app.get(ExpiredEvents).look();
}

/** The clock alone: everything else goes on as it does. */
function wait(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

/** Another process looks, by its clock. */
async function lookBy(held: HeldClock): Promise<void> {
  const again = new ExpiredEvents(
    app.get(CommandBus),
    app.get(RuleRetention),
    app.get<EventStore>(EVENT_STORE as never),
    app.views,
    held,
    loadConfig(ON),
  );
  await again.look();
  await again.onModuleDestroy();
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(async () => {
  vi.useRealTimers();
  await app.close();
});

const keepFor = (max_lifetime?: number, type = 'm.room.retention'): Promise<string> =>
  alice.setState(roomId, type, max_lifetime === undefined ? {} : { max_lifetime });

const relate = (relation: object, type = 'm.room.message', content: object = {}): Promise<{ event_id: string }> =>
  alice.ok('PUT', `${roomPath(roomId)}/send/${type}/${Math.random()}`, {
    msgtype: 'm.text',
    body: SECRET,
    ...content,
    'm.relates_to': relation,
  });

/** All that Bob is told of the room, by each way of reading it. */
async function told(eventId: string): Promise<Record<string, string>> {
  const room = roomPath(roomId);
  const id = encodeURIComponent(eventId);
  const search = { search_categories: { room_events: { search_term: SECRET, event_context: {} } } };
  const list = { lists: { a: { ranges: [[0, 9]], timeline_limit: 50, required_state: [['*', '*']] } } };
  const asked = {
    messages: bob.ok('GET', `${room}/messages?dir=b&limit=100`),
    event: bob.ok('GET', `${room}/event/${id}`),
    context: bob.ok('GET', `${room}/context/${id}?limit=50`),
    relations: bob.ok('GET', `/_matrix/client/v1${room}/relations/${id}`),
    threads: bob.ok('GET', `/_matrix/client/v1${room}/threads`),
    sync: bob.ok('GET', '/sync'),
    sliding: bob.ok('POST', SLIDING, list),
    search: bob.ok('POST', '/search', search),
    notifications: bob.ok('GET', '/notifications'),
    initialSync: bob.ok('GET', `${room}/initialSync?limit=50`),
    v1: bob.v1('GET', `/initialSync?limit=50`),
    v1Messages: bob.v1('GET', `${room}/messages?dir=b&from=END&limit=100`),
    own: alice.ok('GET', `${room}/event/${id}`),
  };
  const answers: Record<string, string> = {};
  for (const [name, answer] of Object.entries(asked)) answers[name] = JSON.stringify(await answer);
  return answers;
}

const tellers = (answers: Record<string, string>): string[] =>
  Object.entries(answers).flatMap(([name, text]) => (text.includes(SECRET) ? [name] : []));

/** How much is unread for somebody, as each way of telling it has it. */
async function unreadOf(user: SyncUser): Promise<Record<string, readonly number[]>> {
  const filter = { room: { timeline: { unread_thread_notifications: true } } };
  const list = { lists: { a: { ranges: [[0, 9]], timeline_limit: 1, required_state: [] } } };
  const whole = (await user.sync()).rooms.join[roomId].unread_notifications;
  const joined = (await user.sync({ filter })).rooms.join[roomId];
  const byThread = [joined.unread_notifications, ...Object.values(joined.unread_thread_notifications ?? {})];
  const slid = (await user.ok('POST', SLIDING, list)).rooms[roomId];
  const { notifications } = await user.ok('GET', '/notifications');
  const sum = (key: string): number => byThread.reduce<number>((total, count) => total + count[key], 0);
  return {
    sync: [whole.notification_count, whole.highlight_count],
    threads: [sum('notification_count'), sum('highlight_count')],
    sliding: [slid.notification_count, slid.highlight_count],
    listed: [notifications.filter(({ read }: { read: boolean }) => !read).length],
    badge: [(await app.get(Badges).read(user.userId as UserId)).unread],
  };
}

const allOf = (unread: number, highlights: number): Record<string, readonly number[]> => ({
  sync: [unread, highlights],
  threads: [unread, highlights],
  sliding: [unread, highlights],
  listed: [unread],
  badge: [unread],
});

async function expectGone(): Promise<void> {
  const facts = async (): Promise<RecordedFact[]> => app.factsOf(roomStream(roomId));
  await expect.poll(async () => JSON.stringify(await facts())).not.toContain(SECRET);
  const verifier = new RoomVerifier(roomId, () => parseVerifyKey(TEST_AUTHOR.signingKey.publicKey));
  expect((await facts()).flatMap((fact) => verifier.check(fact))).toEqual([]);
  await expectSameRowsRebuilt(app, ['timeline', 'room-state', 'relations', 'graph', 'retention']);
}

describe('a message that is older than its room keeps messages', () => {
  it('is looked for by what its room says now: views that show what it said before are waited for', async () => {
    await begin();
    await keepFor(HOUR);
    const eventId = await alice.send(roomId, SECRET);
    await app.settled();
    await app.views.operations.pause('room-state', 'a test');
    await keepFor(10 * HOUR);
    wait(2 * HOUR);
    await app.get(ExpiredEvents).look();
    expect((await app.factsOf(roomStream(roomId))).map(({ type }) => type)).not.toContain('pdu-redacted');
    await app.views.operations.resume('room-state');
    await app.settled();
    await app.get(ExpiredEvents).look();
    expect((await alice.ok('GET', `${roomPath(roomId)}/event/${eventId}`)).content.body).toBe(SECRET);
    wait(9 * HOUR);
    await app.get(ExpiredEvents).look();
    await expectGone();
  });

  it.each(['m.room.retention', 'org.matrix.msc1763.retention'])(
    'is told without its content by every way of reading, and then is gone from the log and the views (%s)',
    async (type) => {
      await begin();
      await keepFor(HOUR, type);
      const eventId = await alice.send(roomId, `${SECRET} @room bob`);
      await relate({ rel_type: 'm.thread', event_id: await alice.send(roomId, SECRET) });
      await relate({ rel_type: 'm.replace', event_id: eventId }, 'm.room.message', {
        'm.new_content': { msgtype: 'm.text', body: SECRET },
      });
      await relate({ rel_type: 'm.annotation', event_id: eventId, key: SECRET }, 'm.reaction');
      await alice.setState(roomId, 'm.room.topic', { topic: 'stays' });
      const hidden = await bob.send(roomId, SECRET);
      await relate(
        { rel_type: 'm.visibility', event_id: hidden, visibility: 'hidden', reason: SECRET },
        'm.visibility',
      );
      const redacted = encodeURIComponent(await alice.send(roomId, SECRET));
      await alice.ok('PUT', `${roomPath(roomId)}/redact/${redacted}/1`, { reason: SECRET });
      wait(HOUR - 60_000);
      const before = tellers(await told(eventId));
      for (const way of [
        'messages',
        'event',
        'context',
        'sync',
        'sliding',
        'search',
        'notifications',
        'initialSync',
        'v1',
      ])
        expect(before).toContain(way);
      wait(60_000);
      const after = await told(eventId);
      expect(tellers(after)).toEqual([]);
      expect(after['sync']).toContain('stays');
      expect(JSON.parse(after['event']!)).toMatchObject({
        event_id: eventId,
        sender: alice.userId,
        content: {},
        unsigned: { redacted_because: { type: 'm.room.redaction', redacts: eventId, sender: alice.userId } },
      });
      await app.get(ExpiredEvents).look();
      expect((await told(eventId))['event']).toBe(after['event']);
      expect(tellers(await told(eventId))).toEqual([]);
      await expectGone();
    },
  );

  it('is whole for nobody though somebody replaced it later, until the edit is that old too', async () => {
    await begin();
    await keepFor(HOUR);
    const eventId = await alice.send(roomId, 'first');
    wait(HOUR / 2);
    await relate({ rel_type: 'm.replace', event_id: eventId }, 'm.room.message', {
      'm.new_content': { msgtype: 'm.text', body: SECRET },
    });
    expect((await told(eventId))['event']).toContain(SECRET);
    wait(HOUR / 2);
    expect((await told(eventId))['event']).not.toContain(SECRET);
    wait(HOUR / 2);
    expect(tellers(await told(eventId))).toEqual([]);
  });

  it('is unread for nobody any more, at once, whatever tells it, and as little once it is erased', async () => {
    await begin();
    await keepFor(HOUR);
    const thread = { rel_type: 'm.thread', event_id: await alice.send(roomId, 'to bob') };
    wait(HOUR / 2);
    await relate(thread);
    await relate(thread, 'm.room.message', { 'm.mentions': { user_ids: [bob.userId] } });
    expect(await unreadOf(bob)).toEqual(allOf(3, 1));
    wait(HOUR / 2);
    expect(await unreadOf(bob)).toEqual(allOf(2, 1));
    wait(HOUR / 2);
    expect(await unreadOf(bob)).toEqual(allOf(0, 0));
    await app.get(ExpiredEvents).look();
    expect(await unreadOf(bob)).toEqual(allOf(0, 0));
  });

  it('is unread again where its room keeps messages for longer, as long as it was not erased', async () => {
    await begin();
    await keepFor(HOUR);
    await alice.send(roomId, SECRET);
    wait(HOUR);
    await alice.send(roomId, SECRET);
    expect(await unreadOf(bob)).toEqual(allOf(1, 0));
    const policy = await keepFor(2 * HOUR);
    expect(await unreadOf(bob)).toEqual(allOf(2, 0));
    wait(HOUR);
    expect(await unreadOf(bob)).toEqual(allOf(1, 0));
    await alice.ok('PUT', `${roomPath(roomId)}/redact/${encodeURIComponent(policy)}/1`, {});
    expect(await unreadOf(bob)).toEqual(allOf(2, 0));
  });

  it('is not told to a push gateway that comes back, though it was sent in time', async () => {
    const [gateway, folder] = [await PushGateway.start(), mkdtempSync(join(tmpdir(), 'annals-gateway-'))];
    onTestFinished(() => {
      rmSync(folder, { recursive: true });
      return gateway.close();
    });
    const authority = join(folder, 'authority.pem');
    writeFileSync(authority, GATEWAY_AUTHORITY.certificate);
    await begin({ ...ON, ANNALS_TLS_CA: authority, ANNALS_PUSH_PRIVATE_GATEWAYS: '127.0.0.1' });
    await keepFor(HOUR);
    await bob.ok('POST', '/pushers/set', pusherAt(gateway.url));
    let asked = 0;
    gateway.answer = () => {
      asked++;
      return { status: 502 };
    };
    await alice.send(roomId, SECRET);
    await expect.poll(() => asked).toBeGreaterThan(0);
    wait(HOUR);
    gateway.answer = () => ({});
    const fresh = await alice.send(roomId, 'fresh');
    await expect.poll(() => gateway.events).toContain(fresh);
    expect(JSON.stringify(gateway.told)).not.toContain(SECRET);
    expect(gateway.unread).toBe(1);
  });

  it('is handed on to other servers redacted', async () => {
    await begin();
    await keepFor(HOUR);
    const eventId = (await alice.send(roomId, SECRET)) as EventId;
    const text = async (): Promise<string> => {
      const pdus = await readLoggedPdus({ views: app.views, store: app.store }, roomId, [eventId]);
      const reader = await findServerReader(app.views, roomId, TEST_AUTHOR.serverName);
      return (await textsFor(reader, [...pdus.values()])).join();
    };
    expect(await text()).toContain(SECRET);
    wait(HOUR);
    expect(await text()).not.toContain(SECRET);
    expect(await text()).toContain('"hashes"');
  });

  it('is told to application services without its content, as of when their transaction was made', async () => {
    await begin();
    await keepFor(HOUR);
    await alice.send(roomId, SECRET);
    const fact = (await app.factsOf(roomStream(roomId))).at(-1)!;
    const text = (): Promise<string> =>
      renderServiceEvent(fact, createRoomFactReader(), app.views, () => false, Date.now());
    expect(await text()).toContain(SECRET);
    wait(HOUR);
    expect(await text()).not.toContain(SECRET);
  });

  it('is as old as it has been here, where it says to have been sent later', async () => {
    await begin();
    await keepFor(HOUR);
    const other = new ForeignServer('b.example', 2);
    const keys = keysKnownTo(TEST_AUTHOR, other);
    const carol = other.user('carol');
    const there = new MemoryRoom(roomId, findRoomVersion('11')!, keys);
    await tellAccepted(app, roomId, there);
    const receiver = new Receiver(app, roomId, other.name, keys);
    const send = async (draft: Partial<Parameters<typeof makeOn>[2]>): Promise<string> => {
      const pdu = await makeOn(there, other, { ts: Date.now(), sender: carol, ...draft } as never);
      await there.receive(pdu.text);
      await receiver.pdus(pdu.text);
      return pdu.event.eventId;
    };
    await send({ type: 'm.room.member', stateKey: carol, content: { membership: 'join' } });
    const said = { type: 'm.room.message', content: { msgtype: 'm.text', body: SECRET } };
    const late = await send({ ...said, ts: Date.now() + 1_000 * HOUR });
    expect((await told(late))['event']).toContain(SECRET);
    const old = await send({ ...said, ts: Date.now() - HOUR });
    expect((await told(old))['event']).not.toContain(SECRET);
    wait(HOUR);
    expect(tellers(await told(late))).toEqual([]);
    await app.get(ExpiredEvents).look();
    await expect.poll(async () => JSON.stringify(await factsOf(app, roomId))).not.toContain(SECRET);
  });
});

describe('what was fetched from the past', () => {
  it('goes too, as old as it says to be, and is found again behind what has gone once another process looks', async () => {
    await begin();
    await keepFor(1_000 * HOUR);
    const { store } = app;
    const others = new ForkedRoom(store, { roomId, version: findRoomVersion('11')! });
    const carol = OTHER_SERVER.user('carol');
    const { eventId: joined } = await others.join(carol);
    // Those of this helper say to be of 2023.
    const fetch = () =>
      others.fetch({ sender: carol, type: 'm.room.message', content: { body: SECRET }, prevEvents: [joined] });
    const [first] = [await fetch(), await fetch()];
    await app.settled();
    expect((await told(first!.eventId))['event']).not.toContain(SECRET);
    const look = (): Promise<void> => app.get(ExpiredEvents).look();
    await look();
    await expect.poll(async () => JSON.stringify(await factsOf(app, roomId))).not.toContain(SECRET);
    expect(await EXPIRED_UP_TO.has(app.views, [roomId, 'past'])).toBe(true);
    await fetch();
    await app.settled();
    // By a clock that may have jumped ahead nothing goes.
    await lookBy({ now: () => 0 });
    expect(JSON.stringify(await factsOf(app, roomId))).toContain(SECRET);
    await lookBy(systemClock);
    await expect.poll(async () => JSON.stringify(await factsOf(app, roomId))).not.toContain(SECRET);
    const gone = (await factsOf(app, roomId)).filter(({ type }) => type === 'pdu-redacted');
    expect(gone).toHaveLength(3);
  });
});

describe('the rules by which messages are kept', () => {
  it('are off unless the operator wants them: no message goes, whatever a room says', async () => {
    await begin({});
    await keepFor(HOUR);
    const eventId = await alice.send(roomId, SECRET);
    wait(1_000 * HOUR);
    await app.get(ExpiredEvents).look();
    expect((await told(eventId))['event']).toContain(SECRET);
    expect((await alice.call('GET', UNSTABLE)).status).toBe(404);
  });

  it('are looked after by one time, however many rooms there are', async () => {
    await begin();
    await keepFor(HOUR);
    const other = await alice.createRoom({ preset: 'public_chat' });
    await alice.setState(other, 'm.room.retention', { max_lifetime: HOUR });
    let asked = 0;
    await lookBy({ now: () => ((asked += 1), Date.now()) });
    expect(asked).toBe(1);
  });

  it('leave a room alone that says nothing, where the operator says nothing of such', async () => {
    await begin();
    const eventId = await alice.send(roomId, SECRET);
    wait(1_000 * HOUR);
    await app.get(ExpiredEvents).look();
    expect((await told(eventId))['event']).toContain(SECRET);
  });

  it('give such a room the lifetime that the operator says, and others one within the limits', async () => {
    await begin({ ...ON, ANNALS_RETENTION_DEFAULT_MAX: '2d', ANNALS_RETENTION_ALLOWED_MIN: '1d' });
    const eventId = await alice.send(roomId, SECRET);
    wait(24 * HOUR);
    expect((await told(eventId))['event']).toContain(SECRET);
    await keepFor(1);
    expect((await told(eventId))['event']).not.toContain(SECRET);
    await keepFor(1_000 * HOUR);
    expect((await told(eventId))['event']).toContain(SECRET);
    await keepFor();
    wait(24 * HOUR);
    await app.get(ExpiredEvents).look();
    await expectGone();
    expect(await alice.ok('GET', UNSTABLE)).toEqual({
      policies: { '*': { max_lifetime: 48 * HOUR } },
      limits: { max_lifetime: { min: 24 * HOUR } },
    });
  });

  it('show what is left once a room keeps its messages again, and what was erased stays gone', async () => {
    await begin();
    const first = await alice.send(roomId, SECRET);
    await keepFor(HOUR);
    wait(HOUR);
    await app.get(ExpiredEvents).look();
    const second = await alice.send(roomId, SECRET);
    wait(HOUR);
    expect(tellers(await told(second))).toEqual([]);
    await keepFor();
    expect((await told(second))['event']).toContain(SECRET);
    expect((await told(first))['event']).not.toContain(SECRET);
    await app.get(ExpiredEvents).look();
    expect((await told(second))['event']).toContain(SECRET);
  });

  it('are told to clients who look whether the server has any', async () => {
    await begin();
    expect(await alice.ok('GET', UNSTABLE)).toEqual({ policies: {}, limits: {} });
    expect((await app.call('GET', UNSTABLE)).status).toBe(401);
  });

  it('go through all of a long room, step by step', async () => {
    await begin();
    await keepFor(HOUR);
    for (let n = 0; n < 130; n++) await alice.send(roomId, SECRET);
    wait(HOUR);
    await app.get(ExpiredEvents).look();
    const facts = await app.factsOf(roomStream(roomId));
    expect(facts.filter(({ type }) => type === 'pdu-redacted')).toHaveLength(130);
    await app.get(ExpiredEvents).look();
    expect(await app.factsOf(roomStream(roomId))).toHaveLength(facts.length);
  });
});

it(
  'a process that ends while messages go because of their age leaves none of them to be read, and all of them gone once the next has looked',
  async () => {
    await begin();
    const steps = await endAtEachStep({
      settings: ON,
      async prepare(running: SyncApp) {
        const carol = await running.register('carol');
        const room = (await carol.createRoom()) as RoomId;
        await carol.setState(room, 'm.room.retention', { max_lifetime: HOUR });
        await running.get(ExpiredEvents).look();
        const events = [await carol.send(room, SECRET), await carol.send(room, SECRET)];
        return { carol, room, events, at: Date.now() };
      },
      act(running, { at }) {
        vi.setSystemTime(at + HOUR);
        return running.get(ExpiredEvents).look();
      },
      async check(running, { carol, room, events, at }) {
        await running.get(ExpiredEvents).look();
        for (const eventId of events) {
          const path = `${roomPath(room)}/event/${encodeURIComponent(eventId)}`;
          expect(JSON.stringify(await carol.on(running).ok('GET', path))).not.toContain(SECRET);
        }
        await expect.poll(async () => JSON.stringify(await factsOf(running, room))).not.toContain(SECRET);
        // Another process starts while nothing is due.
        vi.setSystemTime(at);
      },
    });
    expect(steps).toBeGreaterThan(2);
  },
  MINUTES,
);
