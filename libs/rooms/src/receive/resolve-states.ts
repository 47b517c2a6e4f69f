import type { EventId } from '#kernel/ids';
import { selectAuthTypes } from '#protocol/event-auth/select-auth-types';
import type { RoomEvent } from '#protocol/room-event';
import { findSeenBySome } from '#protocol/state-resolution/auth-difference';
import type { EventsById } from '#protocol/state-resolution/events-by-id';
import { resolveSplit } from '#protocol/state-resolution/resolve-state';
import { eventIdsOf, splitConflicted } from '#protocol/state-resolution/split-conflicted';
import { StateTrie } from '#protocol/state-trie/state-trie';
import type { KnownEvent, KnownRoom } from './known-room.js';

/** What a resolution asks of its room. */
type RoomOfEvents = Pick<KnownRoom, 'version' | 'createEvent' | 'find'>;

/** How many events are asked for at once. */
const BATCH = 1_000;

/**
 * The state that some states of the room come to; what the resolution looks at is taken into memory before. `fresh`: an event
 * that some of them hold and that the room does not know yet, because it is being judged.
 */
export async function resolveStates(
  states: readonly StateTrie[],
  room: RoomOfEvents,
  fresh?: RoomEvent,
): Promise<StateTrie> {
  const [first, ...others] = new Map(states.map((state) => [state.rootHash, state])).values();
  if (first === undefined) return StateTrie.empty;
  if (others.length === 0) return first;
  const split = splitConflicted([first, ...others]);
  const { unconflicted, conflicts } = split;
  const gathered = new GatheredEvents(room, fresh);
  const isAuthorisedBy = ({ event }: KnownEvent) =>
    selectAuthTypes(event, room.version).flatMap(({ type, stateKey }) => unconflicted.get(type, stateKey) ?? []);
  // The mainline begins with the power levels, and the create event may be in no state and no auth chain.
  const besides = [unconflicted.get('m.room.power_levels', ''), room.createEvent?.eventId];
  const conflicted = conflicts.flatMap(eventIdsOf);
  const start = [...conflicted, ...besides.filter((eventId) => eventId !== undefined)];
  await gathered.gather(start, isAuthorisedBy);
  // The auth difference leaves out what an unconflicted event's auth chain holds: only where there may be such an event.
  if (room.version.stateResolution !== 'v1') {
    const candidates = findSeenBySome(split, gathered);
    for (const eventId of conflicted) candidates.delete(eventId);
    if (candidates.size > 0) {
      await gathered.gatherUntil(
        Array.from(unconflicted.entries(), ({ eventId }) => eventId),
        candidates,
      );
    }
  }
  return resolveSplit(split, room.version, gathered);
}

/** Events in memory. */
class GatheredEvents implements EventsById {
  readonly #known = new Map<EventId, KnownEvent>();

  constructor(
    private readonly room: RoomOfEvents,
    private readonly fresh: RoomEvent | undefined,
  ) {}

  get(eventId: EventId): KnownEvent['event'] | undefined {
    return this.#known.get(eventId)?.event;
  }

  rejectionOf(eventId: EventId): KnownEvent['rejection'] {
    return this.#known.get(eventId)?.rejection;
  }

  /** Events, their auth chains, and whatever each leads to besides. */
  async gather(start: readonly EventId[], leadsTo: (one: KnownEvent) => readonly EventId[]): Promise<void> {
    const asked = new Set(start);
    let next = [...asked];
    while (next.length > 0) {
      const found: KnownEvent[] = [];
      for (let at = 0; at < next.length; at += BATCH) {
        for (const one of (await this.#find(next.slice(at, at + BATCH))).values()) found.push(one);
      }
      next = [];
      for (const one of found) {
        this.#known.set(one.event.eventId, one);
        for (const eventId of [...one.event.authEvents, ...leadsTo(one)]) {
          if (asked.has(eventId)) continue;
          asked.add(eventId);
          next.push(eventId);
        }
      }
    }
  }

  /** Events, and their auth chains until all that are looked for have been found in those. */
  async gatherUntil(start: readonly EventId[], wanted: Set<EventId>): Promise<void> {
    const asked = new Set(start);
    const stack = [...asked].toReversed();
    while (stack.length > 0 && wanted.size > 0) {
      const ids = stack.splice(-BATCH);
      for (const [eventId, one] of await this.#find(ids)) {
        this.#known.set(eventId, one);
        for (const each of one.event.authEvents) {
          wanted.delete(each);
          if (asked.has(each)) continue;
          asked.add(each);
          stack.push(each);
        }
      }
    }
  }

  async #find(ids: readonly EventId[]): Promise<ReadonlyMap<EventId, KnownEvent>> {
    const found = await this.room.find(ids);
    const { fresh } = this;
    if (fresh === undefined || !ids.includes(fresh.eventId)) return found;
    return new Map([...found, [fresh.eventId, { event: fresh, outcome: 'accepted' }]]);
  }
}
