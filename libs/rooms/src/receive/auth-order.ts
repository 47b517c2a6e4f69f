import type { EventId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';

interface Waiting<T> {
  readonly one: T;
  missing: number;
}

/** So many that still wait for others are counted in one step. */
const LOOKS_A_STEP = 64;

/**
 * Puts events that come one after another in an order in which each comes after its auth events: those that come too early wait. What
 * names an event that never comes waits for ever.
 */
export class AuthOrder<T extends { readonly event: RoomEvent }> {
  readonly #waiting = new Map<EventId, Waiting<T>>();
  readonly #successors = new Map<EventId, Waiting<T>[]>();

  /** `isHere`: whether an event has been judged. */
  constructor(private readonly isHere: (eventId: EventId) => boolean) {}

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Those that can be judged now that this one has come. Each must be judged before the next is asked for. Undefined is a step between them,
   * for all of a large room may wait for one event.
   */
  *add(one: T): Generator<T | undefined> {
    const { eventId, authEvents } = one.event;
    if (this.isHere(eventId) || this.#waiting.has(eventId)) return;
    const missing = new Set(authEvents.filter((each) => !this.isHere(each)));
    if (missing.size > 0) {
      const waiting = { one, missing: missing.size };
      this.#waiting.set(eventId, waiting);
      for (const each of missing) {
        const others = this.#successors.get(each);
        if (others === undefined) this.#successors.set(each, [waiting]);
        else others.push(waiting);
      }
      return;
    }
    yield one;
    const judged = [eventId];
    let looks = 0;
    for (const each of judged) {
      const successors = this.#successors.get(each) ?? [];
      this.#successors.delete(each);
      for (const waiting of successors) {
        if (++looks % LOOKS_A_STEP === 0) yield undefined;
        if (--waiting.missing > 0) continue;
        const next = waiting.one.event.eventId;
        this.#waiting.delete(next);
        yield waiting.one;
        judged.push(next);
      }
    }
  }
}

/**
 * Events so that each comes after those of its auth events that are among them: the order in which a state with its auth chain
 * can be checked. Events that name each other in a circle (possible where senders choose the ids) are left out.
 */
export function sortByAuth<T extends { readonly event: RoomEvent }>(list: readonly T[]): T[] {
  const among = new Set(list.map(({ event }) => event.eventId));
  const sorted = new Map<EventId, T>();
  const order = new AuthOrder<T>((eventId) => sorted.has(eventId) || !among.has(eventId));
  for (const one of list) {
    for (const due of order.add(one)) if (due !== undefined) sorted.set(due.event.eventId, due);
  }
  return [...sorted.values()];
}
