import type { PresenceKept } from '../facts/presence-facts.js';
import { isThere, type UserPresence } from './presence-state.js';

/** Of who goes on doing something it is kept so often. */
const STEP_MS = 60 * 60_000;

/** What is to be kept of a presence: `elapsed` by the stopwatch is `now` in milliseconds since the epoch. */
export function keptOf(user: UserPresence, elapsed: number, now: number): PresenceKept {
  const { activeAt, choice, statusMsg } = user;
  return {
    ...(activeAt === undefined ? {} : { last_active: Math.round(now - (elapsed - activeAt)) }),
    // Who hides is there to nobody.
    ...(choice !== 'hidden' && isThere(user, elapsed) ? { present: true } : {}),
    ...(choice === undefined ? {} : { choice }),
    ...(statusMsg === undefined ? {} : { status_msg: statusMsg }),
  };
}

/** Whether it is worth a fact: as somebody comes, long after they went, and in coarse steps while they go on doing something. */
export function isKeepDue(before: PresenceKept, kept: PresenceKept): boolean {
  if (before.present !== kept.present) return true;
  return kept.last_active !== undefined && kept.last_active - (before.last_active ?? -Infinity) >= STEP_MS;
}
