import { compileStarGlob } from '#protocol/glob';
import type { EventFilter, RoomEventFilter } from './filter.js';

/** What a filter looks at in an event. */
export interface FilteredEvent {
  readonly type: string;
  readonly sender?: string;
  readonly roomId?: string;
  /** The event's JSON: looked into only where the filter asks for a URL. */
  readonly json?: string;
}

/** One of the filters within a filter (client-server API, "Filtering"), prepared for many events. */
export interface EventMatcher {
  /** The most events wanted, where the filter says. */
  readonly limit: number | undefined;
  /** True where every event matches. */
  readonly matchesAll: boolean;
  /** True where it looks into the content of events. */
  readonly readsContent: boolean;
  /** False where no event of the room can match. */
  matchesRoom(roomId: string): boolean;
  matches(event: FilteredEvent): boolean;
}

type Test = (event: FilteredEvent) => boolean;

/** Prepares a filter. Absent lists let everything through, empty ones nothing; what is excluded wins. */
export function compileMatcher(filter: EventFilter & RoomEventFilter = {}): EventMatcher {
  const tests: Test[] = [];
  const { types, not_types: notTypes, senders, not_senders: notSenders, rooms, not_rooms: notRooms } = filter;
  if (types !== undefined) tests.push(typeTest(types));
  if (notTypes !== undefined && notTypes.length > 0) tests.push(not(typeTest(notTypes)));
  if (senders !== undefined) tests.push(oneOf(senders, (event) => event.sender));
  if (notSenders !== undefined && notSenders.length > 0) tests.push(not(oneOf(notSenders, (event) => event.sender)));
  const isRoom = roomTest(rooms, notRooms);
  if (rooms !== undefined || notRooms !== undefined) {
    tests.push((event) => event.roomId === undefined || isRoom(event.roomId));
  }
  if (filter.contains_url !== undefined) tests.push(urlTest(filter.contains_url));
  const isNever = types?.length === 0 || senders?.length === 0;
  return {
    limit: filter.limit,
    matchesAll: tests.length === 0,
    readsContent: filter.contains_url !== undefined,
    matchesRoom: (roomId) => !isNever && isRoom(roomId),
    matches: (event) => tests.every((test) => test(event)),
  };
}

/** Whether a room is one of `rooms` (where given) and none of `notRooms`. */
export function roomTest(
  rooms: readonly string[] | undefined,
  notRooms: readonly string[] = [],
): (roomId: string) => boolean {
  const wanted = rooms && new Set(rooms);
  const unwanted = new Set(notRooms);
  return (roomId) => !unwanted.has(roomId) && (wanted === undefined || wanted.has(roomId));
}

function not(test: Test): Test {
  return (event) => !test(event);
}

function oneOf(values: readonly string[], of: (event: FilteredEvent) => string | undefined): Test {
  const set = new Set(values);
  return (event) => set.has(of(event) ?? '');
}

/** "A '*' can be used as a wildcard to match any sequence of characters." */
function typeTest(types: readonly string[]): Test {
  const exact = new Set(types.filter((type) => !type.includes('*')));
  const patterns = types.filter((type) => type.includes('*')).map(compileStarGlob);
  return ({ type }) => exact.has(type) || patterns.some((matches) => matches(type));
}

/** Whether the content has a key `url`. */
function urlTest(wanted: boolean): Test {
  return ({ json }) => {
    // Most events have no such key at any depth: they need no parse.
    if (json === undefined || !json.includes('"url":')) return !wanted;
    const { content } = JSON.parse(json) as { content?: object };
    return Object.hasOwn(content ?? {}, 'url') === wanted;
  };
}
