import type { Clock, Stopwatch } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { PresenceKept } from '../facts/presence-facts.js';
import { presenceOfKept } from './keep-due.js';
import type { UserPresence } from './presence-state.js';
import { shownPresence, type ShownPresence } from './shown-presence.js';

/** What is remembered of a user. */
export interface Entry {
  readonly userId: UserId;
  user: UserPresence;
  /** What it was when listeners were told last. */
  shown: ShownPresence;
  /** What is kept of it in the log. */
  kept: PresenceKept;
}

/** Of somebody of whom that alone is known which is kept. */
export function entryOf(userId: UserId, kept: PresenceKept, clock: Clock & Stopwatch): Entry {
  const elapsed = clock.elapsed();
  const user = presenceOfKept(kept, elapsed, clock.now());
  return { userId, user, shown: shownPresence(user, elapsed), kept };
}
