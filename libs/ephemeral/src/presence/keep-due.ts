import type { PresenceKept } from '../facts/presence-facts.js';
import { isPresenceState } from './availability.js';
import { isThere, NO_PRESENCE, type UserPresence } from './presence-state.js';
import type { DeviceId } from '#kernel/ids';

/** Of who goes on doing something it is kept so often. */
const STEP_MS = 60 * 60_000;

/** What is to be kept of a presence: `elapsed` by the stopwatch is `now` in milliseconds since the epoch. */
export function keptOf(user: UserPresence, elapsed: number, now: number): PresenceKept {
  const { activeAt, choice, statusMsg, word, deviceTypes } = user;
  return {
    ...(activeAt === undefined ? {} : { last_active: Math.round(now - (elapsed - activeAt)) }),
    // Who hides is there to nobody.
    ...(choice !== 'hidden' && isThere(user, elapsed) ? { present: true } : {}),
    ...(choice === undefined ? {} : { choice }),
    ...(word === undefined ? {} : { word }),
    ...(statusMsg === undefined ? {} : { status_msg: statusMsg }),
    ...(deviceTypes.size === 0 ? {} : { device_types: Object.fromEntries(deviceTypes) }),
  };
}

/** What was kept of a presence, of which nobody is there yet: the other way round. */
export function presenceOfKept(kept: PresenceKept, elapsed: number, now: number): UserPresence {
  const { last_active: lastActive, choice, word, status_msg: statusMsg, device_types: types = {} } = kept;
  return {
    ...NO_PRESENCE,
    activeAt: lastActive === undefined ? undefined : elapsed - Math.max(0, now - lastActive),
    choice,
    word: word !== undefined && isPresenceState(word.for) ? { name: word.name, for: word.for } : undefined,
    statusMsg,
    deviceTypes: new Map(Object.entries(types) as [DeviceId, string][]),
  };
}

/** Whether two say the same of what people chose and said, whenever they did something. */
export function isKeptAlike(before: PresenceKept, kept: PresenceKept): boolean {
  const said = ({ choice, word, status_msg, device_types }: PresenceKept): string =>
    JSON.stringify([choice, word, status_msg, device_types]);
  return said(before) === said(kept);
}

/** Whether it is worth a fact: as somebody comes, long after they went, and in coarse steps while they go on doing something. */
export function isKeepDue(before: PresenceKept, kept: PresenceKept): boolean {
  if (before.present !== kept.present) return true;
  return kept.last_active !== undefined && kept.last_active - (before.last_active ?? -Infinity) >= STEP_MS;
}
