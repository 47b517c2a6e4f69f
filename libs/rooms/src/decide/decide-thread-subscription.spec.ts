import { describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import {
  decideThreadSubscription,
  decideThreadUnsubscription,
  type SubscriptionCause,
  type ThreadStanding,
} from './decide-thread-subscription.js';

const thread = { room_id: '!r:x' as RoomId, root: '$root' as EventId };
const cause = '$cause' as EventId;
const because = (isNew: boolean): SubscriptionCause => ({ eventId: cause, isNew });
const is = (subscribed: ThreadStanding['subscribed'], stamp = 10): ThreadStanding => ({ subscribed, stamp });
const now = 100;

const subscribe = (before: ThreadStanding | undefined, why?: SubscriptionCause, at = now) =>
  decideThreadSubscription(before, thread, why, at).map(({ data }) => data);
const unsubscribe = (before: ThreadStanding | undefined, after?: EventId) =>
  decideThreadUnsubscription(before, thread, after, now).map(({ data }) => data);

describe('a subscription to a thread', () => {
  it('is made by the user, or by a client because of an event', () => {
    expect(subscribe(undefined)).toEqual([{ ...thread, stamp: now }]);
    expect(subscribe(undefined, because(true))).toEqual([{ ...thread, stamp: now, cause }]);
    expect(subscribe(is('no'))).toEqual([{ ...thread, stamp: now }]);
  });

  it('becomes the user’s where it was a client’s, and nothing else while it stands', () => {
    expect(subscribe(is('automatic'))).toEqual([{ ...thread, stamp: now }]);
    expect(subscribe(is('automatic'), because(true))).toEqual([]);
    expect(subscribe(is('manual'))).toEqual([]);
    expect(subscribe(is('manual'), because(true))).toEqual([]);
  });

  it('is not made by a client again because of what the user had seen when they unsubscribed', () => {
    expect(() => subscribe(is('no'), because(false))).toThrow(
      expect.objectContaining({ errcode: 'IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION', status: 409 }),
    );
    expect(subscribe(is('no'), because(true))).toEqual([{ ...thread, stamp: now, cause }]);
  });

  it('ends where there is one, once, and says what was the last event of the room by then', () => {
    const last = '$last' as EventId;
    for (const how of ['manual', 'automatic'] as const)
      expect(unsubscribe(is(how), last)).toEqual([{ ...thread, stamp: now, after: last }]);
    expect(unsubscribe(is('manual'))).toEqual([{ ...thread, stamp: now }]);
    expect(unsubscribe(is('no'), last)).toEqual([]);
    expect(unsubscribe(undefined, last)).toEqual([]);
  });

  it('has a greater stamp than before, also where the clock was put back', () => {
    expect(subscribe(is('no', 500), undefined, 20)).toEqual([{ ...thread, stamp: 501 }]);
    expect(unsubscribe(is('manual', 500))).toEqual([{ ...thread, stamp: 501 }]);
  });
});
