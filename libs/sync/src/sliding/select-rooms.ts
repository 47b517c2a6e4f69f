import type { RoomId } from '#kernel/ids';
import type { ListedRoom } from './known-rooms.js';
import type { ListFilter, RoomConfig, SlidingList, SlidingRequest } from './sliding-request.js';
import { WantedState } from './wanted-state.js';

/** What filters look at besides the room itself. */
export interface FilterSubjects {
  /** The rooms that the user counts as direct chats. */
  readonly direct: ReadonlySet<string>;
  /** The user's tags of rooms: read where a filter asks for tags. */
  readonly tags: ReadonlyMap<RoomId, ReadonlySet<string>>;
  /** What spaces that the user is in have for children: those that filters name. */
  readonly children: ReadonlyMap<string, ReadonlySet<string>>;
}

/** A room that an answer is about, if there is anything to tell of it. */
export interface SelectedRoom {
  readonly room: ListedRoom;
  /** The lists that it is in, where its place is in one of the ranges. */
  readonly lists: readonly string[];
  readonly isSubscribed: boolean;
  /** What is wanted of it by all of these together. */
  readonly config: RoomConfig;
}

/** The rooms that a request is about, and how many each of its lists has. */
export interface Selection {
  readonly rooms: ReadonlyMap<RoomId, SelectedRoom>;
  readonly counts: ReadonlyMap<string, number>;
}

/** The filters of a request as far as they need what is to be read. */
export function subjectsOf({ lists }: Pick<SlidingRequest, 'lists'>): {
  hasTags: boolean;
  spaces: ReadonlySet<string>;
} {
  const filters = [...lists.values()].map(({ filter }) => filter);
  return {
    hasTags: filters.some(({ tags, notTags }) => tags !== undefined || notTags !== undefined),
    spaces: new Set(filters.flatMap(({ spaces }) => spaces ?? [])),
  };
}

/** Finds the rooms that a request is about. `rooms`: those that lists may have, in their order; `find`: any that the user may subscribe to. */
export function selectRooms(
  { lists, subscriptions }: Pick<SlidingRequest, 'lists' | 'subscriptions'>,
  rooms: readonly ListedRoom[],
  find: (roomId: RoomId) => ListedRoom | undefined,
  subjects: FilterSubjects,
): Selection {
  const selected = new Map<RoomId, SelectedRoom>();
  const counts = new Map<string, number>();
  for (const [name, list] of lists) {
    const passes = compileFilter(list.filter, subjects);
    const only = [name];
    let count = 0;
    for (const room of rooms) {
      if (!passes(room) || !isInRange(list, count++)) continue;
      const known = selected.get(room.roomId);
      // PERF: rooms that are in one list alone, as nearly all are, share what says so, and what is wanted of them.
      const found = known === undefined ? only : [...known.lists, name];
      selected.set(room.roomId, { room, lists: found, isSubscribed: false, config: list });
    }
    counts.set(name, count);
  }
  for (const roomId of subscriptions.keys()) {
    const room = selected.get(roomId)?.room ?? find(roomId);
    if (room !== undefined)
      selected.set(roomId, { room, lists: [], config: NOTHING, ...selected.get(roomId), isSubscribed: true });
  }
  const combine = combiner(lists, subscriptions);
  for (const [roomId, one] of selected) {
    if (one.lists.length !== 1 || one.isSubscribed)
      selected.set(roomId, { ...one, config: combine(one.lists, roomId) });
  }
  return { rooms: selected, counts };
}

const NOTHING: RoomConfig = Object.freeze({ timelineLimit: 0, state: WantedState.NOTHING });

function isInRange({ ranges }: SlidingList, place: number): boolean {
  if (ranges === undefined) return true;
  for (const [first, last] of ranges) if (place >= first && place <= last) return true;
  return false;
}

/** PERF: rooms that are in the same lists share what is wanted of them. */
function combiner(
  lists: SlidingRequest['lists'],
  subscriptions: SlidingRequest['subscriptions'],
): (names: readonly string[], roomId: RoomId) => RoomConfig {
  const known = new Map<string, RoomConfig>();
  return (names, roomId) => {
    const subscribed = subscriptions.get(roomId);
    const key = subscribed === undefined ? JSON.stringify(names) : JSON.stringify([names, roomId]);
    let config = known.get(key);
    if (config === undefined) {
      const all = names.flatMap((name) => lists.get(name) ?? []);
      known.set(key, (config = combineConfigs(subscribed === undefined ? all : [...all, subscribed])));
    }
    return config;
  };
}

/** Whether a request is about a room: by a list, whatever its ranges, or a subscription. Filters are made ready when first asked for. */
export function wantsRoom(
  { lists, subscriptions }: Pick<SlidingRequest, 'lists' | 'subscriptions'>,
  subjects: FilterSubjects,
): (room: ListedRoom) => boolean {
  let filters: ((room: ListedRoom) => boolean)[] | undefined;
  return (room) => {
    if (subscriptions.has(room.roomId)) return true;
    filters ??= [...lists.values()].map(({ filter }) => compileFilter(filter, subjects));
    return filters.some((passes) => passes(room));
  };
}

/** "If a room matches multiple rules […] the fields are combined by taking the superset": MSC4186, "Combining room configs". */
function combineConfigs([first, ...others]: readonly RoomConfig[]): RoomConfig {
  return others.reduce<RoomConfig>(
    (all, { timelineLimit, state }) => ({
      timelineLimit: Math.max(all.timelineLimit, timelineLimit),
      state: all.state.or(state),
    }),
    first!, // nothing is selected by nothing
  );
}

/** Whether a room belongs to a list: MSC4186, "SlidingRoomFilter". */
export function compileFilter(filter: ListFilter, subjects: FilterSubjects): (room: ListedRoom) => boolean {
  const { isDm, isEncrypted, isInvite, roomTypes, notRoomTypes, spaces, tags, notTags } = filter;
  const tests: ((room: ListedRoom) => boolean)[] = [];
  if (isDm !== undefined) tests.push(({ roomId }) => subjects.direct.has(roomId) === isDm);
  if (isEncrypted !== undefined) tests.push((room) => room.isEncrypted === isEncrypted);
  if (isInvite !== undefined) tests.push(({ known }) => (known.membership === 'invite') === isInvite);
  if (roomTypes !== undefined) tests.push(({ type }) => roomTypes.includes(type ?? null));
  if (notRoomTypes !== undefined) tests.push(({ type }) => !notRoomTypes.includes(type ?? null));
  if (spaces !== undefined)
    tests.push(({ roomId }) => spaces.some((id) => subjects.children.get(id)?.has(roomId) === true));
  const hasTag = (wanted: readonly string[], roomId: RoomId): boolean =>
    wanted.some((tag) => subjects.tags.get(roomId)?.has(tag) === true);
  if (tags !== undefined) tests.push(({ roomId }) => hasTag(tags, roomId));
  if (notTags !== undefined) tests.push(({ roomId }) => !hasTag(notTags, roomId));
  return (room) => tests.every((test) => test(room));
}
