import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { UserId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { MemoryEventStore } from '#testing/memory-event-store';
import { ForeignServer } from '#testing/receiving/foreign-server';
import { keysOf } from '#testing/receiving/memory-room';
import { makeOn } from '#testing/receiving/make-on';
import { makeRoomToTell, type RoomToTell, tellRoom } from '#testing/receiving/told-room';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { ReceiveRoom, type RoomReceived } from '../commands/receive-room.js';

const HERE = new ForeignServer('a.example', 1);
const OTHER = new ForeignServer('b.example', 2);
const ALICE = HERE.user('alice');
const BOB = HERE.user('bob');
const VERSION = findRoomVersion('11')!;

let log: MemoryEventStore;
let told: RoomToTell;
/** Two processes that write to one log. */
let one: RoomCommands;
let another: RoomCommands;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
  log = new MemoryEventStore();
  told = await makeRoomToTell(VERSION, OTHER, HERE, ALICE);
  [one, another] = [start(), start()];
});
afterEach(() => {
  vi.useRealTimers();
});

function start(): RoomCommands {
  const author = { serverName: HERE.name, signingKey: HERE.signingKey };
  return new RoomCommands(new RoomViews(log), author, keysOf(HERE, OTHER), undefined, 'kurrentdb://log.example');
}

/** A join whose state is told when the test lets it be. */
class HeldJoin {
  /** Settles once it has begun. */
  readonly begun: Promise<void>;
  readonly ended: Promise<RoomReceived>;
  go = () => {};

  constructor(process: RoomCommands, room = told, isWhole = true) {
    const { origin, roomId, version, told: all } = tellRoom(room, OTHER);
    let begin = () => {};
    this.begun = new Promise((resolve) => (begin = resolve));
    const held = new Promise<void>((resolve) => (this.go = resolve));
    async function* state() {
      begin();
      await held;
      if (isWhole) yield* all.state;
    }
    this.ended = process.execute(new ReceiveRoom(origin, roomId, version, { ...all, state: state() }));
    // A test looks at it in its turn.
    this.ended.catch(() => {});
  }
}

/** The same room as another user joins it. */
async function toldTo(userId: UserId): Promise<RoomToTell> {
  const content = { membership: 'join' };
  const join = await makeOn(told.there, HERE, { type: 'm.room.member', sender: userId, stateKey: userId, content });
  return { ...told, join };
}

/** Lets so much time pass, and whatever is due do its work in between. */
async function secondsPass(count: number): Promise<void> {
  for (let i = 0; i < count * 2; i++) {
    await vi.advanceTimersByTimeAsync(500);
    for (let turn = 0; turn < 10; turn++) await nextTurn();
  }
}

/** What a join was answered, once it is; the time that is waited for passes meanwhile. */
async function endOf({ ended }: HeldJoin): Promise<unknown> {
  const seen: { isOver?: true } = {};
  const end = ended.catch((error: unknown) => error);
  void end.then(() => (seen.isOver = true));
  for (let i = 0; seen.isOver !== true && i < 500; i++) await secondsPass(1);
  return end;
}

describe('a join of a room that another process is joining', () => {
  it('waits for the other one, and is answered as that ended', async () => {
    const first = new HeldJoin(one);
    await first.begun;
    const second = new HeldJoin(another);
    await secondsPass(30);
    first.go();
    const joined = { kind: 'joined', eventId: told.join.event.eventId };
    expect(await endOf(first)).toMatchObject(joined);
    expect(await endOf(second)).toMatchObject(joined);
    expect(one.facts(told.roomId, 'join-begun')).toHaveLength(1);
    expect(one.facts(told.roomId, 'join-given-up')).toHaveLength(0);
    await another.send(ALICE, told.roomId);
  });

  it('gives way too where the other one has begun while it was about to write the first of a room unheard of', async () => {
    const append = log.append.bind(log);
    let first: HeldJoin | undefined;
    vi.spyOn(log, 'append').mockImplementationOnce(async (...write) => {
      first = new HeldJoin(one);
      await first.begun;
      return append(...write);
    });
    const second = new HeldJoin(another, await toldTo(BOB));
    await secondsPass(1);
    first!.go();
    expect(await endOf(first!)).toMatchObject({ kind: 'joined' });
    expect(await endOf(second)).toMatchObject({ errcode: 'M_UNKNOWN', status: 409 });
    expect(one.facts(told.roomId, 'join-begun')).toHaveLength(1);
  });

  it('is told that the room is here where it is of another user', async () => {
    const first = new HeldJoin(one);
    await first.begun;
    const second = new HeldJoin(another, await toldTo(BOB));
    await secondsPass(1);
    first.go();
    expect(await endOf(first)).toMatchObject({ kind: 'joined' });
    expect(await endOf(second)).toMatchObject({ errcode: 'M_UNKNOWN', status: 409 });
  });

  it('begins once the other one was given up', async () => {
    const first = new HeldJoin(one, told, false);
    await first.begun;
    const second = new HeldJoin(another);
    first.go();
    expect(await endOf(first)).toMatchObject({ kind: 'given-up' });
    await secondsPass(1);
    second.go();
    expect(await endOf(second)).toMatchObject({ kind: 'joined' });
  });

  it('takes over once nothing came of the other one for a minute, and that is answered as this one ends', async () => {
    const first = new HeldJoin(one);
    await first.begun;
    const second = new HeldJoin(another);
    await secondsPass(50);
    expect(one.facts(told.roomId, 'join-given-up')).toHaveLength(0);
    await secondsPass(20);
    await second.begun;
    expect(one.facts(told.roomId, 'join-given-up')).toHaveLength(1);
    first.go();
    await secondsPass(5);
    second.go();
    expect(await endOf(second)).toMatchObject({ kind: 'joined' });
    expect(await endOf(first)).toEqual({ ...(await second.ended), leftOut: { count: 0, wantedKeys: [] } });
    expect(await another.membership(told.roomId, ALICE)).toBe('join');
  });
});

describe('a join of a room that this process is joining', () => {
  it('is answered as the first one ended', async () => {
    const first = new HeldJoin(one);
    await first.begun;
    const second = new HeldJoin(one);
    const ofBob = new HeldJoin(one, await toldTo(BOB));
    first.go();
    const joined = { kind: 'joined', eventId: told.join.event.eventId };
    expect(await endOf(first)).toMatchObject(joined);
    expect(await endOf(second)).toMatchObject(joined);
    expect(await endOf(ofBob)).toMatchObject({ errcode: 'M_UNKNOWN', status: 409 });
    expect(one.facts(told.roomId, 'join-begun')).toHaveLength(1);
  });

  it('is refused where the room was here before', async () => {
    expect(await one.execute(tellRoom(told, OTHER))).toMatchObject({ kind: 'joined' });
    const joins = [new HeldJoin(one), new HeldJoin(one)];
    for (const join of joins) expect(await endOf(join)).toMatchObject({ errcode: 'M_UNKNOWN', status: 409 });
  });
});

it('shows a room that another process has brought here to users of one that took it for unknown', async () => {
  const headless = { ...told, state: told.state.slice(1) };
  expect(await another.execute(tellRoom(headless, OTHER))).toMatchObject({ kind: 'given-up' });
  await expect(another.send(ALICE, told.roomId)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  expect(await one.execute(tellRoom(told, OTHER))).toMatchObject({ kind: 'joined' });
  await another.send(ALICE, told.roomId);
});
