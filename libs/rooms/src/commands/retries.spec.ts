import { beforeEach, describe, expect, it } from 'vitest';
import { verifyChain } from '#event-store/seal-facts';
import type { EventId, RoomId } from '#kernel/ids';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { ALICE, BOB } from '#testing/local-room';
import { requesterOf, RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { UncertainEventStore } from '#testing/uncertain-event-store';
import { RedactEvent } from './redact-event.js';
import { SendEvent } from './send-event.js';

/** Views that a test can hold where they are: nothing that is written then is seen by any of them. */
class HeldViews extends RoomViews {
  held = false;

  override async follow(): Promise<this> {
    return this.held ? this : super.follow();
  }
}

let log: UncertainEventStore;
let views: HeldViews;
let rooms: RoomCommands;
let roomId: RoomId;

beforeEach(async () => {
  log = new UncertainEventStore();
  views = new HeldViews(log);
  rooms = new RoomCommands(views);
  roomId = await rooms.createRoom(ALICE);
  await rooms.send(ALICE, roomId);
  views.held = true;
});

const send = (on: RoomCommands, txnId: string): Promise<EventId> => on.send(ALICE, roomId, { body: txnId }, txnId);

/** The events that a transaction wrote. */
function written(txnId: string): EventId[] {
  return rooms
    .facts(roomId, 'pdu-accepted')
    .map(({ data }) => JSON.parse(data))
    .filter(({ txn }) => txn?.txn_id === txnId)
    .map((body) => body.event_id);
}

/** The room goes on, and everything in its log hangs together. */
async function expectSound(): Promise<void> {
  await rooms.send(ALICE, roomId);
  await rooms.send(ALICE, roomId);
  const facts = rooms.facts(roomId);
  expect(facts.every((fact, i) => verifyChain(facts[i - 1]?.metadata.chain, fact))).toBe(true);
  for (const [i, { pdu }] of facts.map(({ data }) => JSON.parse(data)).entries()) {
    const before = i === 0 ? [] : [JSON.parse(facts[i - 1]!.data).event_id];
    expect(pdu.prev_events).toEqual(before);
  }
}

describe('the retry of a send whose outcome nobody was told', () => {
  it('is answered with the event of the first try where that was carried out', async () => {
    log.breakNext('done');
    await expect(send(rooms, 't')).rejects.toThrow();
    const eventId = await send(rooms, 't');
    expect(written('t')).toEqual([eventId]);
    await expectSound();
  });

  it('is answered so while the views cannot be reached, too, and what is new is sent', async () => {
    const first = await send(rooms, 't');
    views.get = () => Promise.reject(new ViewsUnavailable('away'));
    expect(await send(rooms, 't')).toBe(first);
    const second = await send(rooms, 'u');
    expect([written('t'), written('u')]).toEqual([[first], [second]]);
  });

  it('sends where it was not', async () => {
    log.breakNext('never done');
    await expect(send(rooms, 't')).rejects.toThrow();
    expect(written('t')).toEqual([]);
    const eventId = await send(rooms, 't');
    expect(written('t')).toEqual([eventId]);
    await expectSound();
  });

  it('is answered with the event of the first try where that is carried out before the retry arrives', async () => {
    log.breakNext('done late');
    await expect(send(rooms, 't')).rejects.toThrow();
    await log.carryOutLate();
    const eventId = await send(rooms, 't');
    expect(written('t')).toEqual([eventId]);
    await expectSound();
  });

  it('is answered with the event of the first try where that is carried out between the decision and the append', async () => {
    log.breakNext('done late');
    await expect(send(rooms, 't')).rejects.toThrow();
    log.lateBeforeNext = true;
    rooms.now += 70_000;
    const eventId = await send(rooms, 't');
    expect(written('t')).toEqual([eventId]);
    await expectSound();
  });

  it('is the one event where the first try comes too late', async () => {
    log.breakNext('done late');
    await expect(send(rooms, 't')).rejects.toThrow();
    rooms.now += 70_000;
    const eventId = await send(rooms, 't');
    await log.carryOutLate();
    expect(written('t')).toEqual([eventId]);
    await expectSound();
  });

  it('holds for each of many at once', async () => {
    const names = Array.from({ length: 9 }, (_, i) => `t${i}`);
    log.breakNext('done late');
    const tries = await Promise.allSettled(names.map((name) => send(rooms, name)));
    expect(tries.every(({ status }) => status === 'rejected')).toBe(true);
    log.lateBeforeNext = true;
    const ids = await Promise.all(names.map((name) => send(rooms, name)));
    expect(names.flatMap(written)).toEqual(ids);
    await expectSound();
  });

  it('holds for redactions, by both of their paths', async () => {
    views.held = false;
    const target = await rooms.send(ALICE, roomId);
    views.held = true;
    const redact = (): Promise<{ eventId: EventId }> =>
      rooms.execute(new RedactEvent(requesterOf(ALICE), roomId, target, {}, 'r'));
    log.breakNext('done');
    await expect(redact()).rejects.toThrow();
    const { eventId } = await redact();
    const sent = await rooms.execute(
      new SendEvent(requesterOf(ALICE), roomId, 'm.room.redaction', { redacts: target }, 'r'),
    );
    expect([eventId, sent.eventId]).toEqual([...written('r'), ...written('r')]);
    expect(rooms.redacted(roomId)).toHaveLength(1);
  });
});

describe('a transaction that another process wrote', () => {
  it('is the same for a process that has the room in memory, and for one that has not', async () => {
    const [warm, cold] = [new RoomCommands(views), new RoomCommands(views)];
    await send(warm, 'first');
    const eventId = await send(rooms, 't');
    expect(await send(warm, 't')).toBe(eventId);
    expect(await send(cold, 't')).toBe(eventId);
    expect(written('t')).toEqual([eventId]);
    await expectSound();
  });

  it('is one event where both are asked at once', async () => {
    const other = new RoomCommands(views);
    await send(other, 'first');
    const ids = await Promise.all([send(rooms, 't'), send(other, 't'), send(rooms, 't'), send(other, 't')]);
    expect(new Set(ids).size).toBe(1);
    expect(written('t')).toEqual([ids[0]]);
    await expectSound();
  });

  it('is the same after a restart, while the views are behind', async () => {
    const ids = [await send(rooms, 'a'), await send(rooms, 'b')];
    rooms = new RoomCommands(views);
    expect([await send(rooms, 'a'), await send(rooms, 'b')]).toEqual(ids);
    await expectSound();
  });
});

describe('a room with many transactions', () => {
  const many = async (on: RoomCommands, name: string, count: number): Promise<void> => {
    for (let i = 0; i < count; i += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, j) => send(on, `${name}${i + j}`)));
    }
  };

  it('knows all that its views do not, however many they lack', async () => {
    const eventId = await send(rooms, 't');
    await many(rooms, 'x', 2_000);
    expect(await send(rooms, 't')).toBe(eventId);
  });

  it('knows them behind a snapshot too, and reads what lies before it from the log', async () => {
    views.held = false;
    const seen = await send(rooms, 'seen');
    views.held = true;
    const unseen = await send(rooms, 'unseen');
    await many(rooms, 'x', 2_100);
    await rooms.workers.close();
    const behind = await send(rooms, 'behind');
    expect(await views.store.get('room-snapshots', [roomId, 'head'])).toBeDefined();

    const reads: unknown[] = [];
    const read = log.readStream.bind(log);
    log.readStream = (stream, options) => {
      reads.push(options);
      return read(stream, options);
    };
    const restarted = new RoomCommands(views);
    expect(await send(restarted, 'behind')).toBe(behind);
    expect(await send(restarted, 'unseen')).toBe(unseen);
    expect(await send(restarted, 'seen')).toBe(seen);
    // The snapshot's last fact, its create event, what is behind it, and once what the views lack before it, and what others wrote since.
    expect(reads).toHaveLength(5);
    expect(await send(restarted, 'new')).toBe(written('new')[0]);
  });

  const away = new ViewsUnavailable('away');

  it.each([
    { what: 'cannot be reached', fault: { get: () => Promise.reject(away) } },
    { what: 'were thrown away', fault: { get: () => Promise.resolve(undefined), confirm: () => Promise.reject(away) } },
  ])('finds what lies before a snapshot among the last thousand facts while the views $what', async ({ fault }) => {
    views.held = false;
    await many(rooms, 'x', 1_500);
    const old = await send(rooms, 'old');
    await many(rooms, 'y', 900);
    await rooms.workers.close();
    expect(await views.store.get('room-snapshots', [roomId, 'head'])).toBeDefined();
    Object.assign(views, fault);
    const restarted = new RoomCommands(views);
    expect(await send(restarted, 'old')).toBe(old);
    const fresh = await send(restarted, 'new');
    expect([await send(restarted, 'new'), written('old'), written('new')]).toEqual([fresh, [old], [fresh]]);
  });
});

describe('a room in memory', () => {
  it('is the same whether its facts were appended here or read from the log', async () => {
    views.held = false;
    await rooms.join(BOB, roomId).catch(() => {});
    await rooms.setState(ALICE, roomId, 'm.room.topic', { topic: 'one' });
    const topic = await rooms.setState(ALICE, roomId, 'm.room.topic', { topic: 'two' });
    await rooms.setState(ALICE, roomId, 'm.room.history_visibility', { history_visibility: 'joined' });
    await rooms.execute(new RedactEvent(requesterOf(ALICE), roomId, topic, {}, 'r'));
    await send(rooms, 't');
    const look = (on: RoomCommands): Promise<unknown> =>
      on.workers
        .run(roomId, { actor: ALICE }, async (turn) => {
          const { state, ...head } = turn.head;
          const keys = [...state.entries()].map(({ type, stateKey }) => ({ type, stateKey }));
          return { head, root: state.rootHash, events: await turn.findStates(keys) };
        })
        .then(({ result }) => result);
    expect(await look(new RoomCommands(views))).toEqual(await look(rooms));
  });
});

describe('a room with an alias whose beginning nobody was told of', () => {
  const begin = (): Promise<RoomId> => rooms.createRoom(ALICE, { room_alias_name: 'lobby' });
  const canonical = { alias: '#lobby:a.example' };

  it.each([
    { fate: 'done', what: 'keeps its alias, where it has begun' },
    { fate: 'never done', what: 'leaves its alias to others some time later, where it has not' },
  ] as const)('$what', async ({ fate }) => {
    views.held = false;
    views.beforeProcessed = async () => {
      views.beforeProcessed = undefined;
      log.breakNext(fate);
    };
    await expect(begin()).rejects.toThrow('was lost');
    await expect(begin()).rejects.toMatchObject({ errcode: 'M_ROOM_IN_USE' });
    rooms.now += 60_000;
    if (fate === 'done') {
      const { room_id: begun } = JSON.parse((await views.get('aliases', [canonical.alias])) ?? '') as {
        room_id: RoomId;
      };
      expect(await rooms.state(begun, 'm.room.canonical_alias')).toEqual(canonical);
      await expect(begin()).rejects.toMatchObject({ errcode: 'M_ROOM_IN_USE' });
    } else {
      expect(await rooms.state(await begin(), 'm.room.canonical_alias')).toEqual(canonical);
    }
  });
});
