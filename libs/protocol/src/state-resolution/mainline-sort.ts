import type { EventId } from '#kernel/ids';
import { each, type Steps } from '#kernel/steps';
import type { RoomEvent } from '../room-event.js';
import { type EventsById, findAuthEvent } from './events-by-id.js';
import { compareByTime } from './power-sort.js';

/**
 * Events from earliest to latest by how old a power levels event they go back to (room version 2, "Mainline ordering"), given
 * the power levels of the partially resolved state.
 */
export function* sortByMainline(
  list: readonly RoomEvent[],
  powerLevels: RoomEvent | undefined,
  events: EventsById,
): Steps<RoomEvent[]> {
  const positions = positionsOfMainline(powerLevels, events);
  const placed: { readonly event: RoomEvent; readonly position: number }[] = [];
  yield* each(list, (event) => placed.push({ event, position: findPosition(event, positions, events) }));
  placed.sort((a, b) => {
    if (a.position !== b.position) return a.position > b.position ? -1 : 1;
    return compareByTime(a.event, b.event);
  });
  return placed.map(({ event }) => event);
}

/** The mainline with its newest event at 0. */
function positionsOfMainline(powerLevels: RoomEvent | undefined, events: EventsById): Map<EventId, number> {
  const positions = new Map<EventId, number>();
  // Where senders choose event ids (room version 2) the chain might run in a circle.
  for (let event = powerLevels; event !== undefined && !positions.has(event.eventId);) {
    positions.set(event.eventId, positions.size);
    event = powerLevelsOf(event, events);
  }
  return positions;
}

/** The mainline position of an event; remembers it for all power levels events on the way. */
function findPosition(event: RoomEvent, positions: Map<EventId, number>, events: EventsById): number {
  const way = new Set<EventId>();
  let position: number | undefined;
  for (let next = powerLevelsOf(event, events); next !== undefined; next = powerLevelsOf(next, events)) {
    position = positions.get(next.eventId);
    if (position !== undefined || way.has(next.eventId)) break;
    way.add(next.eventId);
  }
  position ??= Infinity;
  for (const eventId of way) positions.set(eventId, position);
  return position;
}

function powerLevelsOf(event: RoomEvent, events: EventsById): RoomEvent | undefined {
  return findAuthEvent(event, 'm.room.power_levels', '', events);
}
