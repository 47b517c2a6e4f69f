import type { EventId } from '#kernel/ids';
import { inTurns } from '#projections/turn';
import { selectAuthTypes } from '#protocol/event-auth/select-auth-types';
import type { RoomEvent } from '#protocol/room-event';
import { findSeenBySome } from '#protocol/state-resolution/auth-difference';
import type { EventsById } from '#protocol/state-resolution/events-by-id';
import { resolveSplit } from '#protocol/state-resolution/resolve-state';
import { splitConflicted } from '#protocol/state-resolution/split-conflicted';
import { StateTrie } from '#protocol/state-trie/state-trie';
import type { KnownEvent, KnownRoom } from './known-room.js';

/** What a resolution asks of its room. */
type RoomOfEvents = Pick<KnownRoom, 'version' | 'createEvent' | 'find'>;

/** How many events are asked for at once. */
const BATCH = 1_000;

/**
 * The state that some states of the room come to; what the resolution looks at is taken into memory before. Where it is much, others
 * have their turn meanwhile. `fresh`: an event that some of them hold and that the room does not know yet, because it is being judged.
 */
export async function resolveStates(
  states: readonly StateTrie[],
  room: RoomOfEvents,
  fresh?: RoomEvent,
): Promise<StateTrie> {
  const [first, ...others] = new Map(states.map((state) => [state.rootHash, state])).values();
  if (first === undefined) return StateTrie.empty;
  if (others.length === 0) return first;
  const split = await inTurns(splitConflicted([first, ...others]));
  const { unconflicted, conflicted } = split;
  const gathered = new GatheredEvents(room, fresh);
  const isAuthorisedBy = ({ event }: KnownEvent, add: (eventId: EventId | undefined) => void): void => {
    for (const { type, stateKey } of selectAuthTypes(event, room.version)) add(unconflicted.get(type, stateKey));
  };
  // The mainline begins with the power levels, and the create event may be in no state and no auth chain.
  const besides = [unconflicted.get('m.room.power_levels', ''), room.createEvent?.eventId];
  await gathered.gather([...conflicted, ...besides.filter((eventId) => eventId !== undefined)], isAuthorisedBy);
  if (room.version.stateResolution === 'v1') return inTurns(resolveSplit(split, room.version, gathered));
  // The auth difference leaves out what an unconflicted event's auth chain holds: only where there may be such an event.
  const seenBySome = await inTurns(findSeenBySome(split, gathered));
  const candidates = new Set([...seenBySome].filter((eventId) => !conflicted.has(eventId)));
  if (candidates.size > 0) {
    await gathered.gatherUntil(
      Array.from(unconflicted.entries(), ({ eventId }) => eventId),
      candidates,
    );
  }
  return inTurns(resolveSplit(split, room.version, gathered, seenBySome));
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
  async gather(
    start: readonly EventId[],
    leadsTo: (one: KnownEvent, add: (eventId: EventId | undefined) => void) => void,
  ): Promise<void> {
    const asked = new Set(start);
    const asking = [...asked];
    const add = (eventId: EventId | undefined): void => {
      if (eventId === undefined || asked.has(eventId)) return;
      asked.add(eventId);
      asking.push(eventId);
    };
    for (let at = 0; at < asking.length;) {
      const ids = asking.slice(at, at + BATCH);
      at += ids.length;
      for (const [eventId, one] of await this.#find(ids)) {
        this.#known.set(eventId, one);
        for (const authEvent of one.event.authEvents) add(authEvent);
        leadsTo(one, add);
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
