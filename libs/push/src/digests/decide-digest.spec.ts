import { describe, expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { positionOf } from '#testing/position-of';
import {
  beginMail,
  endMail,
  failMail,
  type FreshRoom,
  isUntold,
  judgeDigest,
  lookAgain,
  noteUnread,
  suspendDigest,
} from './decide-digest.js';
import type { Digest } from './digest.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const AFTER = 10 * MINUTE;
const NOW = 1_000 * HOUR;
const PUB = '!pub:a.example' as RoomId;
const HALL = '!hall:a.example' as RoomId;

const fresh = (at: number, number: number, roomId = PUB): FreshRoom => ({
  roomId,
  firstAt: at,
  newestAt: at,
  upTo: positionOf(number),
});
const note = (digest: Digest, now: number, number: number, roomId = PUB): Digest | undefined =>
  noteUnread(digest, { roomId, position: positionOf(number), now }, AFTER);
/** A mail that was sent of a room at a time. */
const mailed = (digest: Digest, at: number, room: FreshRoom): Digest =>
  endMail(beginMail(digest, [room], at), [room], { now: at, afterMs: AFTER, lookAt: undefined });

describe('what is unread', () => {
  it('is looked at ten minutes after the first of it came, whatever comes after that', () => {
    const first = note({}, NOW, 5)!;
    expect(first).toEqual({ from: positionOf(5), due_at: NOW + AFTER });
    expect(note(first, NOW + MINUTE, 6)).toBeUndefined();
    expect(note(first, NOW + MINUTE, 7, HALL)).toBeUndefined();
    // What came first may be heard of later.
    expect(note(first, NOW + MINUTE, 4)).toEqual({ from: positionOf(4), due_at: NOW + AFTER });
  });

  it('is mailed from the first that came once there was a pusher, and once', () => {
    const first = note({}, NOW, 5)!;
    expect([4, 5, 6].map((number) => isUntold(first, positionOf(number)))).toEqual([false, true, true]);
    const after = mailed(first, NOW + AFTER, fresh(NOW, 6));
    expect([5, 6, 7].map((number) => isUntold(after, positionOf(number)))).toEqual([false, false, true]);
    expect(after.due_at).toBeUndefined();
    expect(note(after, NOW + AFTER, 6)).toBeUndefined();
    expect(isUntold({}, positionOf(1))).toBe(false);
  });

  it('is mailed once it has been unread for ten minutes, and not where all of it was read', () => {
    const digest = note({}, NOW, 5)!;
    expect(judgeDigest(digest, [], NOW + AFTER, AFTER)).toEqual({ is: 'nothing' });
    expect(judgeDigest(digest, [fresh(NOW, 5)], NOW + AFTER, AFTER)).toEqual({ is: 'due' });
    const later = fresh(NOW + MINUTE, 6);
    expect(judgeDigest(digest, [later], NOW + AFTER, AFTER)).toEqual({ is: 'waiting', until: NOW + MINUTE + AFTER });
    expect(judgeDigest(digest, [later, fresh(NOW, 7, HALL)], NOW + AFTER, AFTER)).toEqual({ is: 'due' });
  });
});

describe('mails about one room', () => {
  it('come at intervals that grow up to a day, while it is not quiet', () => {
    let digest: Digest = {};
    let at = NOW;
    const waits: number[] = [];
    for (let i = 1; i <= 5; i++) {
      const noted = note(digest, at, i)!;
      waits.push((noted.due_at! - at) / MINUTE);
      at = noted.due_at!;
      digest = mailed(noted, at, fresh(at, i));
    }
    expect(waits).toEqual([10, 10, 60, 360, 24 * 60]);
  });

  it('begin again with the first interval after half a day in which nothing came', () => {
    let digest: Digest = {};
    for (const at of [0, 10, 70]) digest = mailed(digest, NOW + at * MINUTE, fresh(NOW + at * MINUTE, at + 1));
    expect(digest.rooms).toMatchObject([{ wait_ms: 6 * HOUR }]);
    const busy = NOW + 80 * MINUTE;
    expect(note(digest, busy, 90)!.due_at).toBe(NOW + 70 * MINUTE + 6 * HOUR);
    const quiet = NOW + 70 * MINUTE + 12 * HOUR + 1;
    expect(note(digest, quiet, 90)!.due_at).toBe(quiet + AFTER);
    expect(mailed(digest, quiet + AFTER, fresh(quiet, 90)).rooms).toMatchObject([{ wait_ms: AFTER }]);
  });

  it('hold up none about other rooms, of which they tell too', () => {
    let digest: Digest = {};
    for (const at of [0, 10, 70]) digest = mailed(digest, NOW + at * MINUTE, fresh(NOW + at * MINUTE, at + 1));
    const at = NOW + 80 * MINUTE;
    const waiting = note(digest, at, 90)!;
    const sooner = note(waiting, at, 91, HALL)!;
    expect(sooner.due_at).toBe(at + AFTER);
    const rooms = [fresh(at, 90), fresh(at, 91, HALL)];
    expect(judgeDigest(sooner, rooms, at + AFTER, AFTER)).toEqual({ is: 'due' });
    const begun = beginMail(sooner, rooms, at + AFTER);
    expect(begun.mailing).toEqual({ up_to: positionOf(91), at: at + AFTER, tries: 0 });
  });

  it('are remembered of some rooms, and of none for longer than it matters', () => {
    let digest: Digest = {};
    for (let i = 0; i < 60; i++) digest = mailed(digest, NOW + i, fresh(NOW + i, i + 1, `!${i}:a.example` as RoomId));
    expect(digest.rooms).toHaveLength(50);
    expect(digest.rooms!.at(-1)!.room_id).toBe('!59:a.example');
    const late = NOW + 48 * HOUR;
    expect(mailed(digest, late, fresh(late, 99)).rooms).toHaveLength(1);
  });
});

describe('mails to one user', () => {
  it('are 24 in a day, however many rooms there are', () => {
    let digest: Digest = {};
    for (let i = 0; i < 24; i++) digest = mailed(digest, NOW + i, fresh(NOW + i, i + 1, `!${i}:a.example` as RoomId));
    const other = fresh(NOW, 90, HALL);
    expect(judgeDigest(digest, [other], NOW + HOUR, AFTER)).toEqual({ is: 'waiting', until: NOW + 24 * HOUR });
    expect(judgeDigest(digest, [other], NOW + 24 * HOUR, AFTER)).toEqual({ is: 'due' });
    expect(mailed(digest, NOW + 24 * HOUR, other).day).toEqual({ from: NOW + 24 * HOUR, mails: 1 });
  });

  it('are tried again where they are not taken, less and less often, for two days', () => {
    let digest = beginMail({}, [fresh(NOW, 5)], NOW);
    expect(note(digest, NOW + MINUTE, 6)).toBeUndefined();
    const waits: number[] = [];
    let at = NOW;
    for (let next = failMail(digest, at); next !== undefined; next = failMail(digest, at)) {
      waits.push((next.due_at! - at) / MINUTE);
      [digest, at] = [next, next.due_at!];
    }
    expect(waits.slice(0, 8)).toEqual([5, 10, 20, 40, 80, 160, 320, 360]);
    expect(at - NOW).toBeGreaterThan(48 * HOUR);
    expect(at - NOW).toBeLessThan(60 * HOUR);
    // It is the same mail all the time.
    expect(digest.mailing).toMatchObject({ up_to: positionOf(5), at: NOW });
  });

  it('are none of what was read before it could be mailed', () => {
    const digest = beginMail(note({}, NOW, 5)!, [fresh(NOW, 5)], NOW);
    const ended = endMail(digest, [], { now: NOW, afterMs: AFTER, lookAt: NOW + AFTER });
    expect(ended).toEqual({ up_to: positionOf(5), due_at: NOW + AFTER, rooms: [] });
    expect(lookAgain(ended, undefined)).toEqual({ up_to: positionOf(5), rooms: [] });
  });

  it('begin anew where they were switched off, but as seldom as before', () => {
    const digest = mailed(note({}, NOW, 5)!, NOW + AFTER, fresh(NOW, 5));
    const { rooms, day } = digest;
    expect(suspendDigest({ ...digest, due_at: NOW })).toEqual({ rooms, day });
  });
});
