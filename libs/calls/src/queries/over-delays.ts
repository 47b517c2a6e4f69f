import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { ENDED_KEPT_MS, endedOf, findOld } from '../decide/known-delays.js';
import type { DelayEnd } from '../facts/delayed-event-facts.js';
import { DELAYS_OF_USERS } from '../projections/delayed-events.projector.js';

/** Of a user's delayed events that have ended, by id: those of which nobody is told any more. `now`: by a HeldClock, for what goes by that nobody can bring back. */
export function listOverDelays(ended: ReadonlyMap<string, DelayEnd>, now: number): Set<string> {
  const all = [...ended].map(([id, end]) => endedOf(id, end));
  const old = all.filter(({ at }) => at < now - ENDED_KEPT_MS).map(({ id }) => id);
  return new Set([...old, ...findOld(all)]);
}

/** Of whom nobody is told any more, since so many milliseconds at most, of something that has ended. */
export async function listUsersOfOver(views: Views, now: number, withinMs: number): Promise<Set<UserId>> {
  const before = now - ENDED_KEPT_MS;
  const users = new Set<UserId>();
  for await (const page of DELAYS_OF_USERS.pages(views, {})) {
    for (const { key, value } of page) {
      const { ended = Infinity } = value;
      if (ended < before && ended >= before - withinMs) users.add(key[0]);
    }
  }
  return users;
}
