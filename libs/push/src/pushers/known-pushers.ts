import type { NewFact } from '#event-store/event-store';
import type { PusherFact, PusherName, PusherSet } from '../facts/pusher-facts.js';

/** A user's pushers, by `pusherKey`. */
export type KnownPushers = ReadonlyMap<string, PusherSet>;

export const NO_PUSHERS: KnownPushers = new Map();

/** What stands for the name of a pusher in maps. */
export const pusherKey = ({ app_id, pushkey }: PusherName): string => JSON.stringify([app_id, pushkey]);

/** The pushers as of a fact of their stream. */
export function foldPusherFact(pushers: KnownPushers, { type, data }: Pick<NewFact, 'type' | 'data'>): KnownPushers {
  if (type === 'pushers-ended') return NO_PUSHERS;
  // Only this library writes these types: their data has the shape that PusherFact gives.
  return evolvePushers(pushers, { type, data: JSON.parse(data) as unknown } as PusherFact);
}

/** The pushers after one more fact. */
export function evolvePushers(pushers: KnownPushers, fact: PusherFact): KnownPushers {
  const after = new Map(pushers);
  if (fact.type === 'pusher-set') after.set(pusherKey(fact.data), fact.data);
  else after.delete(pusherKey(fact.data));
  return after;
}
