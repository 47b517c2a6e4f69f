import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeviceId, EventId, RoomId, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { timelineRowOf } from '#rooms/projections/make-row';
import { parseRow } from '#rooms/projections/timeline-row';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { positionOf } from '#testing/position-of';
import { type AnsweredMembers, LazyMembers } from './lazy-members.js';

const room = '!room:x' as RoomId;
const requester: Requester = {
  userId: '@reader:x' as UserId,
  deviceId: 'D' as DeviceId,
  isAdmin: false,
  requestId: '',
};

function memberRow(user: number, version: number): TimelineRow {
  const sender = `@${user}:x`;
  const pdu = { type: 'm.room.member', state_key: sender, sender, content: { membership: 'join' }, depth: 1 };
  const event_id = `$${user}_${version}` as EventId;
  const fact = {
    event_id,
    roomId: room,
    position: positionOf(1),
    visibility: 'shared' as const,
    lenient: false,
  };
  return parseRow(timelineRowOf({ ...fact, pdu: { ...pdu, origin_server_ts: 1 } } as never));
}

/** Something in the timeline: a message, or a new member event of its sender. */
interface Happening {
  readonly sender: number;
  readonly version: number;
  readonly isMember: boolean;
}

/** A loop of the client, as it believes what it is told. */
interface Loop {
  at: number | undefined;
  has: Map<number, number>;
  /** How often it began anew: what it asked before that it does not hear any more. */
  life: number;
}

interface Answer {
  readonly loop: Loop;
  readonly life: number;
  readonly since: number | undefined;
  readonly until: number;
  readonly memory: AnsweredMembers;
  readonly members: [number, number][];
  readonly timeline: readonly Happening[];
  isSent: boolean;
}

const USERS = 4;
const MAX_LIMIT = 3;

/** A server with one room and a device that loses answers, asks again, runs several loops and begins anew. */
class World {
  readonly lazy = new LazyMembers();
  readonly happened: Happening[] = [];
  readonly loops: Loop[] = [{ at: undefined, has: new Map(), life: 0 }];
  readonly answers: Answer[] = [];
  resent = 0;

  happen(sender: number, isMember: boolean): void {
    const version = this.#versionAt(this.happened.length, sender) + Number(isMember);
    this.happened.push({ sender, version, isMember });
  }

  /** Each loop may have a filter of its own, and so see more or less of what happened. */
  ask(loop: Loop, limit = MAX_LIMIT): void {
    const until = this.happened.length;
    const since = loop.at;
    const timeline = this.happened.slice(Math.max(since ?? 0, until - limit), until);
    const start = until - timeline.length;
    const memory = this.lazy.open(requester, since === undefined ? undefined : `t${since}`, true);
    const members = [...new Set(timeline.map(({ sender }) => sender))]
      .map((sender): [number, number] => [sender, this.#versionAt(start, sender)])
      .filter(([sender, version]) => since === undefined || !memory.isKnown(room, memberRow(sender, version)));
    // Of a gap every change is told.
    for (const { sender, version, isMember } of this.happened.slice(since ?? start, start)) {
      if (isMember) members.push([sender, version]);
    }
    const shown = timeline.filter(({ isMember }) => isMember).map(({ sender, version }) => memberRow(sender, version));
    memory.note(room, [...members.map(([sender, version]) => memberRow(sender, version)), ...shown]);
    this.answers.push({ loop, life: loop.life, since, until, memory, members, timeline, isSent: false });
  }

  send(answer: Answer): void {
    if (!answer.isSent) answer.memory.sendUntil(`t${answer.until}`);
    answer.isSent = true;
  }

  receive(answer: Answer): void {
    const { loop, life, since, until, members, timeline } = answer;
    this.answers.splice(this.answers.indexOf(answer), 1);
    if (!answer.isSent || loop.at !== since || loop.life !== life) return;
    if (since === undefined) loop.has = new Map();
    for (const [user, version] of members) {
      if (loop.has.get(user) === version) this.resent++;
      loop.has.set(user, version);
    }
    for (const { sender, version, isMember } of timeline) {
      if (isMember) loop.has.set(sender, version);
      expect(loop.has.get(sender), `the member event of ${sender}`).toBe(version);
    }
    loop.at = until;
  }

  #versionAt(index: number, user: number): number {
    return this.happened.slice(0, index).filter(({ sender, isMember }) => isMember && sender === user).length;
  }
}

type Step = (world: World) => void;

const limit = fc.integer({ min: 1, max: MAX_LIMIT });
const index = fc.nat(2);
const loopOf = ({ loops }: World, n: number): Loop => loops[n % loops.length]!;

/** What a client does is biased towards what is hard: several loops that are answered at the same moment. */
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.nat(USERS - 1), fc.nat(4)).map(
    ([sender, n]): Step =>
      (world) =>
        world.happen(sender, n === 0),
  ),
  fc.tuple(index, limit).map(
    ([n, most]): Step =>
      (world) =>
        world.ask(loopOf(world, n), most),
  ),
  fc.tuple(limit, limit).map(
    ([a, b]): Step =>
      (world) =>
        world.loops.forEach((loop, i) => world.ask(loop, i % 2 === 0 ? a : b)),
  ),
  fc.nat(4).map(
    (n): Step =>
      (world) =>
        world.answers.forEach((answer, i) => i % 5 !== n && world.send(answer)),
  ),
  fc.nat(4).map(
    (n): Step =>
      (world) =>
        world.answers.filter((_, i) => i % 5 !== n).forEach((answer) => world.receive(answer)),
  ),
  index.map((n): Step => (world) => {
    const { at, has } = loopOf(world, n);
    if (world.loops.length < 3) world.loops.push({ at, has: new Map(has), life: 0 });
  }),
  index.map((n): Step => (world) => {
    const loop = loopOf(world, n);
    loop.at = undefined;
    loop.life++;
  }),
);

describe('lazily loaded members', () => {
  it('reach every loop of a device, whatever answers are lost, repeated or begun anew', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 120 }), (steps) => {
        const world = new World();
        for (const one of steps) one(world);
        for (const loop of world.loops) {
          world.ask(loop);
          world.send(world.answers.at(-1)!);
          world.receive(world.answers.at(-1)!);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('are not sent again to a client whose answers all arrive', () => {
    const world = new World();
    const [loop] = world.loops;
    for (let i = 0; i < 40; i++) {
      world.happen(i % USERS, i % 7 === 0);
      world.ask(loop!);
      world.send(world.answers[0]!);
      world.receive(world.answers[0]!);
    }
    expect(world.resent).toBe(0);
  });

  it('stay known whatever another loop of the device, which loads all of them, is answered meanwhile', () => {
    const lazy = new LazyMembers();
    const bob = memberRow(1, 1);
    const answer = (since: string | undefined, until: string, isLazy: boolean, rows: TimelineRow[]): void => {
      const answered = lazy.open(requester, since, isLazy);
      answered.note(room, rows);
      answered.sendUntil(until);
    };
    answer(undefined, 't1', true, [bob]);
    answer('t1', 't2', false, []);
    answer('t1', 't2', true, []);
    expect(lazy.open(requester, 't2', true).isKnown(room, bob)).toBe(true);
    // A token that only the other loop has says nothing of members.
    answer('t2', 't3', false, []);
    expect(lazy.open(requester, 't3', true).isKnown(room, bob)).toBe(false);
  });

  it('are not known by a token of which it was forgotten that another answer that ended there told less', () => {
    const lazy = new LazyMembers();
    const bob = memberRow(1, 1);
    const tell = (answered: AnsweredMembers, until: string, rows: TimelineRow[] = []): void => {
      answered.note(room, rows);
      answered.sendUntil(until);
    };
    const slow = lazy.open(requester, undefined, true);
    tell(lazy.open(requester, undefined, true), 't1');
    for (const until of ['t2', 't3', 't4', 't5']) tell(lazy.open(requester, undefined, true), until);
    tell(slow, 't1', [bob]);
    expect(lazy.open(requester, 't1', true).isKnown(room, bob)).toBe(false);
    // While nothing is new the newest token is that of answers which are opened now: it is there, however many older ones are sent after it.
    const again = new LazyMembers();
    const opened = ['t1', 't2', 't3', 't4', 't5'].map((until) => ({
      until,
      one: again.open(requester, undefined, true),
    }));
    for (const { until, one } of opened.toReversed()) tell(one, until);
    tell(again.open(requester, undefined, true), 't5', [bob]);
    expect(again.open(requester, 't5', true).isKnown(room, bob)).toBe(false);
  });

  it('are not known by a token of a device that was forgotten meanwhile, of which another answer that ended there told less', () => {
    const lazy = new LazyMembers();
    const bob = memberRow(1, 1);
    const tell = (answered: AnsweredMembers, until: string, rows: TimelineRow[]): void => {
      answered.note(room, rows);
      answered.sendUntil(until);
    };
    const slow = lazy.open(requester, undefined, true);
    tell(lazy.open(requester, undefined, true), 't1', []);
    for (let n = 0; n < 5_000; n++)
      tell(lazy.open({ ...requester, deviceId: `E${n}` as DeviceId }, undefined, true), 't1', []);
    tell(slow, 't1', [bob]);
    expect(lazy.open(requester, 't1', true).isKnown(room, bob)).toBe(false);
    tell(lazy.open(requester, undefined, true), 't2', [bob]);
    expect(lazy.open(requester, 't2', true).isKnown(room, bob)).toBe(true);
  });

  it('are not known any more of a room that is told anew', () => {
    const lazy = new LazyMembers();
    const other = '!room2:x' as RoomId;
    const bob = memberRow(1, 1);
    const first = lazy.open(requester, undefined, true);
    for (const roomId of [room, other]) first.note(roomId, [bob]);
    first.sendUntil('t1');
    const next = lazy.open(requester, 't1', true);
    next.tellAnew(room);
    expect([next.isKnown(room, bob), next.isKnown(other, bob)]).toEqual([false, true]);
    next.sendUntil('t2');
    const last = lazy.open(requester, 't2', true);
    expect([last.isKnown(room, bob), last.isKnown(other, bob)]).toEqual([false, true]);
  });

  it('are forgotten, not taken for known, where there are too many', () => {
    const lazy = new LazyMembers();
    const first = lazy.open(requester, undefined, true);
    const rows = Array.from({ length: 1_500 }, (_, i) => memberRow(i, 1));
    first.note(room, rows);
    first.sendUntil('t1');
    const next = lazy.open(requester, 't1', true);
    expect(rows.filter((row) => next.isKnown(room, row))).toHaveLength(1_000);
    expect(next.isKnown(room, memberRow(1_499, 2))).toBe(false);
  });
  it('are forgotten of the devices that asked longest ago, where all together are too many', () => {
    const lazy = new LazyMembers();
    const rows = Array.from({ length: 1_000 }, (_, i) => memberRow(i, 1));
    const device = (i: number): Requester => ({ ...requester, deviceId: `D${i}` as DeviceId });
    for (let i = 0; i <= 1_000; i++) {
      const answered = lazy.open(device(i), undefined, true);
      answered.note(room, rows);
      answered.sendUntil('t');
    }
    const known = (i: number): boolean => lazy.open(device(i), 't', true).isKnown(room, rows[0]!);
    expect([known(0), known(1), known(1_000), lazy.numbers.size]).toEqual([false, true, true, 1_000]);
  });
});
