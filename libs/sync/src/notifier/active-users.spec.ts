import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { positionOf } from '#testing/position-of';
import type { Views } from '#projections/views';
import type { Row, ScanOptions } from '#read-models/read-model-store';
import { ActiveUsers } from './active-users.js';

const alice = '@alice:x' as UserId;
const bob = '@bob:x' as UserId;
const room = '!room:x' as RoomId;

/** Views of `user-rooms` alone, whose answers wait until the test lets them go. */
class SlowViews {
  at = positionOf(10);
  rows: Row[] = [];
  scans = 0;
  moved: (at: Position) => void = () => {};
  #held: (() => void)[] = [];
  isHeld = false;

  position(): Position {
    return this.at;
  }

  async scan(_collection: string, { prefix }: ScanOptions): Promise<Row[]> {
    this.scans++;
    const found = this.rows.filter(({ key }) => key[0] === prefix?.[0]);
    if (this.isHeld) await new Promise<void>((resolve) => this.#held.push(resolve));
    return found;
  }

  release(): void {
    for (const resolve of this.#held.splice(0)) resolve();
  }

  whenMoved(): Promise<Position> {
    return new Promise((resolve) => (this.moved = resolve));
  }
}

let views: SlowViews;
let active: ActiveUsers;
let time: number;

beforeEach(() => {
  time = 1_000;
  views = new SlowViews();
  const clock = { elapsed: () => time };
  // Only `position` and `scan` are ever asked.
  active = new ActiveUsers(views as unknown as Views, clock, ['timeline']);
});

function membershipRow(userId: UserId, membership: string, at = 5): Row {
  return { key: [userId, room], value: JSON.stringify({ membership, pos: positionOf(at) }) };
}

function fact(position: number, stream: string, type: string, data: object): RecordedFact {
  return {
    id: String(position),
    stream,
    type,
    data: JSON.stringify(data),
    revision: 0,
    position: positionOf(position),
    metadata: { at: 0, actor: 'test', schema: 1, chain: '' },
  };
}

function message(position: number): RecordedFact {
  const pdu = { type: 'm.room.message', sender: alice, content: { body: 'm.room.member' }, depth: 1 };
  return fact(position, `room-${room}`, 'pdu-accepted', {
    event_id: `$${position}`,
    room_version: '10',
    state: [],
    pdu,
  });
}

function member(position: number, userId: UserId, membership: string): RecordedFact {
  const event_id = `$${position}`;
  const state = [{ type: 'm.room.member', state_key: userId, event_id }];
  const pdu = { type: 'm.room.member', state_key: userId, sender: userId, content: { membership }, depth: 1 };
  return fact(position, `room-${room}`, 'pdu-accepted', { event_id, room_version: '10', state, pdu });
}

describe('ActiveUsers', () => {
  it('wakes for presence who waits to hear of it, and counts who asked lately and will hear of it', async () => {
    views.rows = [membershipRow(alice, 'join'), membershipRow(bob, 'join')];
    const [waiting, deaf, between] = [await active.watch(alice), await active.watch(alice), await active.watch(bob)];
    deaf.interest.hearsPresence = false;
    expect(active.wakeForPresence([], [room])).toBe(2);
    expect([waiting, deaf, between].map(({ interest }) => interest.isWoken)).toEqual([true, false, true]);
    between.interest.close();
    expect(active.wakeForPresence([bob], [room])).toBe(2);
    waiting.interest.close();
    expect(active.wakeForPresence([], [room])).toBe(1);
  });

  it('wakes the members who wait, and nobody else', async () => {
    views.rows = [membershipRow(alice, 'join')];
    const [mine, other] = [await active.watch(alice), await active.watch(bob)];
    active.hear([message(11)]);
    expect(mine.interest.isWoken).toBe(true);
    expect(other.interest.isWoken).toBe(false);
    expect(active.numbers).toMatchObject({ users: 2, waiting: 2, wakeUps: 1, rooms: 1 });
  });

  it('wakes nobody for each event of a state that is told of a room, but for what comes behind them', async () => {
    views.rows = [membershipRow(alice, 'join')];
    const { interest } = await active.watch(alice);
    active.hear([{ ...member(11, bob, 'join'), type: 'state-taken' }]);
    expect(interest.isWoken).toBe(false);
    expect(active.recent.rooms.hasHappenedSince(room, positionOf(10))).toBe(true);
    active.hear([fact(12, `room-${room}`, 'join-filled', { event_id: '$1', states: [] })]);
    expect(interest.isWoken).toBe(true);
  });

  it('does not lose what happens between the computation and the waiting', async () => {
    views.rows = [membershipRow(alice, 'join')];
    const { interest } = await active.watch(alice);
    interest.rearm();
    active.hear([message(11)]);
    await interest.wait(60_000, []);
    interest.rearm();
    expect(interest.isWoken).toBe(false);
  });

  it('knows in memory which rooms something happened in', async () => {
    await active.watch(alice);
    active.hear([message(11)]);
    expect(active.recent.rooms.hasHappenedSince(room, positionOf(10))).toBe(true);
    expect(active.recent.rooms.hasHappenedSince(room, positionOf(11))).toBe(false);
    expect(active.recent.rooms.hasHappenedSince('!quiet:x', positionOf(10))).toBe(false);
    expect(active.recent.rooms.hasHappenedSince('!quiet:x', positionOf(9))).toBeUndefined();
  });

  it('follows memberships: who joins is told of the room from then on, who leaves of the leaving and no more', async () => {
    const { user, interest } = await active.watch(bob);
    active.hear([member(11, bob, 'invite')]);
    expect(interest.isWoken).toBe(true);
    interest.rearm();
    active.hear([message(12)]);
    expect(interest.isWoken).toBe(false);
    active.hear([member(13, bob, 'join'), message(14)]);
    expect(interest.isWoken).toBe(true);
    expect(user.rooms.get(room)).toMatchObject({ membership: 'join', position: positionOf(13) });
    interest.rearm();
    active.hear([member(15, bob, 'ban')]);
    expect(interest.isWoken).toBe(true);
    interest.rearm();
    active.hear([message(16)]);
    expect(interest.isWoken).toBe(false);
    expect(active.numbers.rooms).toBe(0);
  });

  it('follows what is told of rooms that are not here, but of those that the user is in', async () => {
    const { user, interest } = await active.watch(bob);
    const told = (position: number, membership: string): RecordedFact => {
      const data = { room_id: room, membership, pdu: { sender: alice } };
      return fact(position, `elsewhere-${bob}`, 'membership-told', data);
    };
    active.hear([told(11, 'invite')]);
    expect(interest.isWoken).toBe(true);
    expect(user.rooms.get(room)).toMatchObject({ membership: 'invite', by: alice, position: positionOf(11) });
    active.hear([member(12, bob, 'join'), told(13, 'invite')]);
    expect(user.rooms.get(room)).toMatchObject({ membership: 'join', position: positionOf(12) });
  });

  it('follows what resolution makes of memberships, though the event by which it does says nothing of them', async () => {
    const { user, interest } = await active.watch(bob);
    const resolved = (at: number, eventId: string | null): RecordedFact => {
      const change = { type: 'm.room.member', state_key: bob, event_id: eventId, replaces: '$before' };
      const pdu = { type: 'm.room.message', sender: alice, content: { body: 'at a merge' }, depth: 1 };
      const banned = { type: 'm.room.member', state_key: bob, sender: alice, content: { membership: 'ban' }, depth: 1 };
      return fact(at, `room-${room}`, 'pdu-accepted', {
        event_id: `$${at}`,
        room_version: '10',
        state: [],
        current: { state: [change], root: '' },
        ...(eventId === null ? {} : { state_pdus: { [eventId]: JSON.stringify(banned) } }),
        pdu,
      });
    };
    for (const [at, eventId, membership] of [
      [13, '$ban', 'ban'],
      [23, null, 'leave'],
    ] as const) {
      active.hear([member(at - 2, bob, 'join')]);
      active.hear([resolved(at, eventId)]);
      expect(user.rooms.get(room)).toMatchObject({ membership, position: positionOf(at) });
      interest.rearm();
      active.hear([message(at + 1)]);
      expect(interest.isWoken).toBe(false);
    }
  });

  it('is not misled by a member event that is not what became of the room', async () => {
    const { user } = await active.watch(bob);
    active.hear([member(11, bob, 'join')]);
    const lost = member(12, bob, 'ban');
    const data = { ...JSON.parse(lost.data), current: { state: [], root: '' } };
    const { pdu, ...header } = data;
    active.hear([{ ...lost, data: JSON.stringify({ ...header, pdu }) }]);
    expect(user.rooms.get(room)).toMatchObject({ membership: 'join', position: positionOf(11) });
  });

  it('prefers what it is told while it reads to what it reads', async () => {
    views.rows = [membershipRow(bob, 'join')];
    views.isHeld = true;
    const watching = active.watch(bob);
    active.hear([member(11, bob, 'leave')]);
    views.release();
    const { user, interest } = await watching;
    expect(user.rooms.get(room)).toMatchObject({ membership: 'leave', position: positionOf(11) });
    interest.rearm();
    active.hear([message(12)]);
    expect(interest.isWoken).toBe(false);
  });

  it('reads a user once for all who ask at the same time', async () => {
    const watches = await Promise.all([active.watch(alice), active.watch(alice)]);
    expect(watches[0].user).toBe(watches[1].user);
    expect(active.numbers.users).toBe(1);
  });

  it('reads a user again whom it could not read', async () => {
    const { scan } = views;
    views.scan = () => Promise.reject(new Error('the views are away'));
    await expect(active.watch(alice)).rejects.toThrow('away');
    views.scan = scan;
    views.rows = [membershipRow(alice, 'join')];
    const { user } = await active.watch(alice);
    expect(user.isIn(room)).toBe(true);
  });

  it('forgets users who have been idle, but none who waits', async () => {
    const idle = await active.watch(alice);
    const busy = await active.watch(bob);
    idle.interest.close();
    time += 10 * 60_000;
    const carol = await active.watch('@carol:x' as UserId);
    expect(active.numbers.users).toBe(2);
    for (const { interest } of [busy, carol]) interest.close();
    expect(active.numbers.waiting).toBe(0);
  });

  it('wakes for what is not in the log, for receipts of the room, and for private receipts their owner alone', async () => {
    views.rows = [membershipRow(alice, 'join'), membershipRow(bob, 'join')];
    const [mine, theirs] = [await active.watch(alice), await active.watch(bob)];
    const woken = (): boolean[] => {
      const both = [mine.interest.isWoken, theirs.interest.isWoken];
      mine.interest.rearm();
      theirs.interest.rearm();
      return both;
    };
    active.wakeRoom(room);
    expect(woken()).toEqual([true, true]);
    const receipt = (type: string): object => ({ room_id: room, receipt_type: type, event_id: '$1' });
    active.hear([fact(11, `marks-${bob}`, 'receipt-set', receipt('m.read'))]);
    expect(woken()).toEqual([true, true]);
    active.hear([fact(12, `marks-${bob}`, 'receipt-set', receipt('m.read.private'))]);
    expect(woken()).toEqual([false, true]);
    const again = fact(12, `marks-${bob}`, 'receipt-set', receipt('m.read'));
    active.hear([{ ...again, position: positionOf(13), metadata: { ...again.metadata, causation: again.id } }]);
    expect(woken()).toEqual([false, false]);
    expect(active.recent.receipts.hasHappenedSince(room, positionOf(12))).toBe(true);
    active.hear([fact(13, `user-${alice}`, 'account-data-set', { type: 'x', content: {} })]);
    expect(woken()).toEqual([true, false]);
    active.hear([fact(14, `device-${bob}|PHONE`, 'anything', {})]);
    expect(woken()).toEqual([false, true]);
  });

  it('knows whether a user has facts of their own, from the time they were read', async () => {
    const { user } = await active.watch(alice);
    expect(user.hasOwnFactsSince(positionOf(10))).toBe(false);
    expect(user.hasOwnFactsSince(positionOf(9))).toBeUndefined();
    active.hear([fact(12, `user-${alice}`, 'tag-set', {})]);
    expect(user.hasOwnFactsSince(positionOf(11))).toBe(true);
    expect(user.hasOwnFactsSince(positionOf(9))).toBe(true);
    expect(user.hasOwnFactsSince(positionOf(12))).toBe(false);
  });

  it('wakes whom messages are for, and knows whether there may be any', async () => {
    const { interest, user } = await active.watch(alice);
    const { interest: ofBob } = await active.watch(bob);
    expect([user.mayHaveMessagesSince(positionOf(9)), user.mayHaveMessagesSince(positionOf(10))]).toEqual([
      true,
      false,
    ]);
    const sent = fact(12, `sent-${bob}|B`, 'to-device-sent', { to: [[alice, 'A', 0]], contents: [], salt: '' });
    active.hear([{ ...sent, metadata: { ...sent.metadata, erasable: 1 } }]);
    expect([interest.isWoken, ofBob.isWoken]).toEqual([true, false]);
    expect([user.mayHaveMessagesSince(positionOf(11)), user.mayHaveMessagesSince(positionOf(12))]).toEqual([true, false]); // prettier-ignore
    expect(user.hasOwnFactsSince(positionOf(11))).toBe(false);
    interest.rearm();
    active.hear([fact(13, `inbox-${alice}|A`, 'to-device-collected', {})]);
    expect(interest.isWoken).toBe(false);
  });

  it('lets wait for what the views show already', async () => {
    await active.watch(alice);
    views.at = positionOf(12);
    let isThere = false;
    const waiting = active.catchUp().then(() => (isThere = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isThere).toBe(false);
    active.hear([message(12)]);
    await waiting;
    expect(active.position).toBe(positionOf(12));
  });

  it('waits for nothing that views have yet to pass that were paused when it began: it is not told of that', async () => {
    active.begin(positionOf(12));
    views.at = positionOf(12);
    await active.catchUp();
    expect(active.position).toBe(positionOf(12));
    // What happened there is not known here: it is read.
    expect(active.recent.rooms.hasHappenedSince(room, positionOf(10))).not.toBe(false);
  });

  it('waits some seconds at most for what it is not told, and not again before it is told of something', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      await active.watch(alice);
      views.at = positionOf(12);
      const waiting = [active.catchUp(), active.catchUp()];
      await vi.advanceTimersByTimeAsync(6_000);
      await Promise.all(waiting);
      await active.catchUp();
      expect(active.knownUpTo()).toBe(positionOf(10));
      active.hear([message(11)]);
      let isThere = false;
      const again = active.catchUp().then(() => (isThere = true));
      await vi.advanceTimersByTimeAsync(5_000);
      expect(isThere).toBe(false);
      active.hear([message(12)]);
      await again;
      expect(active.knownUpTo()).toBe(positionOf(12));
    } finally {
      vi.useRealTimers();
    }
  });

  it('wakes all who wait as views go on that lacked what it had been told before', async () => {
    const { interest } = await active.watch(alice);
    // And where they fall behind once more.
    for (const heard of [12, 14]) {
      active.hear([message(heard)]);
      interest.rearm();
      await active.catchUp();
      expect(interest.isWoken).toBe(false);
      for (const at of [heard - 1, heard].map(positionOf)) {
        views.at = at;
        views.moved(at);
        await vi.waitFor(() => expect(interest.isWoken).toBe(true), 60_000);
        interest.rearm();
        await active.catchUp();
      }
      expect(active.knownUpTo()).toBe(positionOf(heard));
    }
  });

  it('reads the rooms of a user again, once, where those views were paused when it began: no answer goes further before they have gone on', async () => {
    active.begin(positionOf(12));
    const { user } = await active.watch(alice);
    views.rows = [membershipRow(alice, 'join', 11)];
    await active.catchUp(user);
    views.at = positionOf(11);
    expect([active.knownUpTo(), active.knownUpTo(user)]).toEqual([11, 10].map(positionOf));
    await active.catchUp(user);
    expect([user.isIn(room), views.scans]).toEqual([false, 1]);
    views.at = positionOf(12);
    await Promise.all([active.catchUp(user), active.catchUp(user)]);
    await active.catchUp(user);
    expect([user.isIn(room), views.scans]).toEqual([true, 2]);
    expect(active.knownUpTo(user)).toBe(positionOf(12));
    views.rows = [];
    active.hear([member(13, alice, 'leave')]);
    expect(user.isIn(room)).toBe(false);
  });

  it('ends waiting at a signal', async () => {
    const { interest } = await active.watch(alice);
    const ending = new AbortController();
    const waiting = interest.wait(60_000, [ending.signal]);
    ending.abort();
    await waiting;
    await interest.wait(60_000, [ending.signal]);
  });
});
