import { beforeEach, describe, expect, it } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import { MAIL_APP } from '#push/digests/mail-pusher';
import type { Digest } from '#push/digests/digest';
import type { PusherSet } from '#push/facts/pusher-facts';
import type { Pushers } from '#push/pushers';
import { pusherKey } from '#push/pushers/known-pushers';
import { positionOf } from '#testing/position-of';
import { DigestNotes } from './digest-notes.js';

const ALICE = '@alice:a.example' as UserId;
const PUB = '!pub:a.example' as RoomId;
const HALL = '!hall:a.example' as RoomId;
const PUSHER = { app_id: MAIL_APP, pushkey: 'of alice', kind: 'email', enabled: true, data: {} } as PusherSet;

let asked: number;
let written: Digest[];
let known: PusherSet;
let under: Promise<void>;
let notes: DigestNotes;

beforeEach(() => {
  [asked, written, known, under] = [0, [], PUSHER, Promise.resolve()];
  const pushers: Pick<Pushers, 'change'> = {
    async change(_user, _cause, decide) {
      asked++;
      await under;
      for (const { data } of decide(new Map([[pusherKey(known), known]]), 0)) {
        known = data as PusherSet;
        written.push(known.digest!);
      }
      return true;
    },
  };
  const config = { digests: { afterMs: 1_000, isForNewUsers: false, clientUrl: undefined } };
  notes = new DigestNotes(pushers as Pushers, { now: () => 5 }, config);
});

const note = (number: number, roomId = PUB, isAlone = true): Promise<void> =>
  notes.note(ALICE, { roomId, position: positionOf(number) }, isAlone);

describe('that there is something to mail', () => {
  it('is noted once, and asked of nobody for each further message of the room', async () => {
    expect(notes.isSettled(ALICE, PUB)).toBe(false);
    await note(1);
    await note(2);
    expect([asked, written]).toEqual([1, [{ from: positionOf(1), due_at: 1_005 }]]);
    expect([notes.isSettled(ALICE, PUB), notes.isSettled(ALICE, HALL)]).toEqual([true, false]);
    await note(3, HALL);
    expect([asked, written.length, notes.isSettled(ALICE, HALL)]).toEqual([2, 1, true]);
  });

  it('settles nothing of who has gateways to be told of it too', async () => {
    await note(1, PUB, false);
    await note(2, PUB, false);
    expect([asked, notes.isSettled(ALICE, PUB)]).toEqual([1, false]);
  });

  it('is noted anew once a pusher was set, also where one was under way meanwhile', async () => {
    await note(1);
    notes.forget(ALICE);
    expect(notes.isSettled(ALICE, PUB)).toBe(false);
    let go = (): void => {};
    under = new Promise((resolve) => (go = resolve));
    const noted = note(2);
    notes.forget(ALICE);
    go();
    await noted;
    expect(notes.isSettled(ALICE, PUB)).toBe(false);
  });

  it('is noted anew in a look and after it, which hears of what came meanwhile', async () => {
    await note(1);
    const heard = await notes.look(ALICE, async (hasMore) => {
      const before = [hasMore(), notes.isSettled(ALICE, PUB)];
      await note(4, HALL);
      return [...before, hasMore(), notes.isSettled(ALICE, HALL)];
    });
    expect(heard).toEqual([false, false, true, false]);
    expect([notes.isSettled(ALICE, PUB), notes.isSettled(ALICE, HALL)]).toEqual([false, false]);
    await note(5);
    expect([asked, notes.isSettled(ALICE, PUB)]).toEqual([3, true]);
  });

  it('is not taken for noted by what was under way before a look, and ended behind it', async () => {
    let go = (): void => {};
    under = new Promise((resolve) => (go = resolve));
    const noted = note(1);
    await notes.look(ALICE, async () => {});
    go();
    await noted;
    expect(notes.isSettled(ALICE, PUB)).toBe(false);
  });
});
