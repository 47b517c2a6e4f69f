import type { EventId } from '#kernel/ids';
import { compareCodePoints } from '../canonical-json/canonical-json.js';
import type { RoomEvent } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { authStateOf } from '../event-auth/auth-state.js';
import { powerLevelOf } from '../event-auth/power-levels.js';
import type { EventsById } from './events-by-id.js';

/** Whether an event may take away somebody's ability to do something: room version 2, "Power events". */
export function isPowerEvent({ type, sender, stateKey, content }: RoomEvent): boolean {
  if (stateKey === undefined) return false;
  if (type === 'm.room.power_levels' || type === 'm.room.join_rules') return true;
  if (type !== 'm.room.member' || sender === stateKey) return false;
  return content.membership === 'leave' || content.membership === 'ban';
}

/**
 * The power events of the full conflicted set with their auth chains as far as these are in the set too: step 1.
 *
 * NOTSPEC: chains are followed inside the set only, as all servers in use do. A chain that leaves the set and comes back is
 * what the conflicted state subgraph of version 2.1 closes.
 */
export function selectPowerEvents(conflicted: ReadonlyMap<EventId, RoomEvent>): Map<EventId, RoomEvent> {
  const selected = new Map<EventId, RoomEvent>();
  const stack = [...conflicted.values()].filter(isPowerEvent);
  for (let event = stack.pop(); event !== undefined; event = stack.pop()) {
    if (selected.has(event.eventId)) continue;
    selected.set(event.eventId, event);
    for (const eventId of event.authEvents) {
      const authEvent = conflicted.get(eventId);
      if (authEvent !== undefined) stack.push(authEvent);
    }
  }
  return selected;
}

interface Ranked {
  readonly event: RoomEvent;
  /** The sender's power level by the event's own auth events. */
  readonly level: number;
}

/**
 * Events from earliest to latest: auth events before those they authorise, and otherwise greater power first, then by time
 * and id (room version 2, "Reverse topological power ordering"). `createEvent` where the room id is its hash.
 */
export function sortByPower(
  selected: ReadonlyMap<EventId, RoomEvent>,
  version: RoomVersion,
  events: EventsById,
  createEvent: RoomEvent | undefined,
): RoomEvent[] {
  const ranks = rank(selected, version, events, createEvent);
  /** How many auth events of an event are still to come, and whom an event is an auth event of. */
  const waitsFor = new Map<EventId, number>();
  const successors = new Map<EventId, EventId[]>();
  const ready = new MinHeap();
  for (const [eventId, event] of selected) {
    const before = new Set(event.authEvents.filter((each) => selected.has(each)));
    waitsFor.set(eventId, before.size);
    for (const each of before) successors.set(each, [...(successors.get(each) ?? []), eventId]);
    if (before.size === 0) ready.push(ranks.get(eventId) as number);
  }
  const inOrder = [...ranks.keys()];
  const sorted: RoomEvent[] = [];
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    const eventId = inOrder[next] as EventId;
    sorted.push(selected.get(eventId) as RoomEvent);
    for (const successor of successors.get(eventId) ?? []) {
      const left = (waitsFor.get(successor) as number) - 1;
      waitsFor.set(successor, left);
      if (left === 0) ready.push(ranks.get(successor) as number);
    }
  }
  return sorted;
}

/** The place of each event in the order of the comparison alone, in that order. */
function rank(
  selected: ReadonlyMap<EventId, RoomEvent>,
  version: RoomVersion,
  events: EventsById,
  createEvent: RoomEvent | undefined,
): Map<EventId, number> {
  const ranked = [...selected.values()].map((event): Ranked => {
    const authEvents = event.authEvents.map((eventId) => events.get(eventId)).filter((each) => each !== undefined);
    return { event, level: powerLevelOf(event.sender, authStateOf(authEvents, createEvent), version) };
  });
  ranked.sort(compareRanked);
  return new Map(ranked.map(({ event }, i) => [event.eventId, i]));
}

function compareRanked(a: Ranked, b: Ranked): number {
  // Not a subtraction: creators have infinite power.
  if (a.level !== b.level) return a.level > b.level ? -1 : 1;
  return compareByTime(a.event, b.event);
}

/** Earlier first, then by event id, as other servers compare them: where senders choose the ids, these hold any letters. */
export function compareByTime(a: RoomEvent, b: RoomEvent): number {
  if (a.originServerTs !== b.originServerTs) return a.originServerTs - b.originServerTs;
  return a.eventId === b.eventId ? 0 : compareCodePoints(a.eventId, b.eventId);
}

/** The smallest of some numbers in logarithmic time. */
class MinHeap {
  readonly #heap: number[] = [];

  push(value: number): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as number;
      if (above <= value) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = value;
  }

  pop(): number | undefined {
    const heap = this.#heap;
    const smallest = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return smallest;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && (heap[child + 1] as number) < (heap[child] as number)) child++;
      if ((heap[child] as number) >= last) break;
      heap[at] = heap[child] as number;
      at = child;
    }
    heap[at] = last;
    return smallest;
  }
}
