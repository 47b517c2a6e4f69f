import { describe, expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { positionOf } from '#testing/position-of';
import type { ListedRoom } from './known-rooms.js';
import { compileFilter, type FilterSubjects, selectRooms, subjectsOf } from './select-rooms.js';
import type { ListFilter, SlidingList } from './sliding-request.js';
import { WantedState } from './wanted-state.js';

const NONE: FilterSubjects = { direct: new Set(), tags: new Map(), children: new Map() };
const room = (name: string, more: Partial<ListedRoom> = {}, membership = 'join'): ListedRoom => ({
  roomId: `!${name}:x` as RoomId,
  known: { membership, position: positionOf(1), forgotten: false },
  place: positionOf(1),
  bump: positionOf(1),
  type: undefined,
  isEncrypted: false,
  ...more,
});
const wants = (type: string): WantedState => WantedState.of([{ include: [{ type }], exclude: [], lazyMembers: false }]);
const list = (more: Partial<SlidingList> = {}): SlidingList => ({
  ranges: [[0, 1]],
  filter: {},
  timelineLimit: 1,
  state: WantedState.NOTHING,
  ...more,
});
const ROOMS = ['a', 'b', 'c', 'd'].map((name) => room(name));
const find = (roomId: RoomId): ListedRoom | undefined => ROOMS.find((one) => one.roomId === roomId);
const select = (lists: Record<string, SlidingList>, rooms = ROOMS): ReturnType<typeof selectRooms> =>
  selectRooms({ lists: new Map(Object.entries(lists)), subscriptions: new Map() }, rooms, find, NONE);

describe('the rooms that a request is about', () => {
  it('are those in the ranges of its lists, counted whether or not they are in one', () => {
    const { rooms, counts } = select({ some: list({ ranges: [[0, 0], [2, 2]] }), all: list({ ranges: undefined }) }); // prettier-ignore
    expect([...rooms].map(([id, { lists }]) => [id, lists])).toEqual([
      ['!a:x', ['some', 'all']],
      ['!c:x', ['some', 'all']],
      ['!b:x', ['all']],
      ['!d:x', ['all']],
    ]);
    expect([...counts]).toEqual([['some', 4], ['all', 4]]); // prettier-ignore
  });

  it('are none where the ranges lie behind the end', () => {
    const { rooms, counts } = select({ far: list({ ranges: [[4, 1_000_000]] }) });
    expect([rooms.size, counts.get('far')]).toEqual([0, 4]);
  });

  it('are placed after what the filter lets through', () => {
    const rooms = [room('a', {}, 'invite'), room('b'), room('c', {}, 'invite'), room('d')];
    const { rooms: found, counts } = select({ joined: list({ ranges: [[0, 0]], filter: { isInvite: false } }) }, rooms);
    expect([[...found.keys()], counts.get('joined')]).toEqual([['!b:x'], 2]);
  });

  it('are wanted with the superset of what lists and subscriptions want', () => {
    const lists = new Map([['one', list({ timelineLimit: 5, state: wants('a') })], ['two', list({ ranges: [[0, 0]], state: wants('b') })]]); // prettier-ignore
    const subscriptions = new Map([['!b:x' as RoomId, { timelineLimit: 20, state: wants('c') }]]);
    const { rooms } = selectRooms({ lists, subscriptions }, ROOMS, find, NONE);
    const [first, second] = [...rooms.values()];
    expect(first).toMatchObject({ lists: ['one', 'two'], isSubscribed: false });
    expect(first!.config).toEqual({ timelineLimit: 5, state: wants('a').or(wants('b')) });
    expect(second).toMatchObject({ lists: ['one'], isSubscribed: true });
    expect(second!.config).toEqual({ timelineLimit: 20, state: wants('a').or(wants('c')) });
  });
});

describe('the filter of a list', () => {
  const subjects: FilterSubjects = {
    direct: new Set(['!direct:x']),
    tags: new Map([['!tagged:x' as RoomId, new Set(['m.favourite', 'u.work'])]]),
    children: new Map([['!space:x', new Set(['!child:x'])]]),
  };
  const rooms = [
    room('direct'),
    room('tagged'),
    room('child'),
    room('invited', {}, 'invite'),
    room('space', { type: 'm.space' }),
    room('secret', { isEncrypted: true }),
  ];
  const passing = (filter: ListFilter): string[] =>
    rooms.filter(compileFilter(filter, subjects)).map(({ roomId }) => roomId.slice(1, -2));
  const but = (...names: string[]): string[] =>
    ['direct', 'tagged', 'child', 'invited', 'space', 'secret'].filter((name) => !names.includes(name));

  it.each<[ListFilter, string[]]>([
    [{}, but()],
    [{ isDm: true }, ['direct']],
    [{ isDm: false }, but('direct')],
    [{ isEncrypted: true }, ['secret']],
    [{ isEncrypted: false }, but('secret')],
    [{ isInvite: true }, ['invited']],
    [{ isInvite: false }, but('invited')],
    [{ roomTypes: ['m.space'] }, ['space']],
    [{ roomTypes: [null] }, but('space')],
    [{ roomTypes: [] }, []],
    [{ notRoomTypes: ['m.space'] }, but('space')],
    [{ roomTypes: ['m.space', null], notRoomTypes: [null] }, ['space']],
    [{ spaces: ['!space:x', '!unknown:x'] }, ['child']],
    [{ spaces: ['!unknown:x'] }, []],
    [{ tags: ['m.favourite', 'u.other'] }, ['tagged']],
    [{ tags: ['m.favourite'], notTags: ['u.work'] }, []],
    [{ notTags: ['m.favourite'] }, but('tagged')],
    [{ isDm: false, isEncrypted: true }, ['secret']],
  ])('%o lets through %o', (filter, names) => {
    expect(passing(filter)).toEqual(names);
  });

  it('says what has to be read for it', () => {
    const lists = new Map([['a', list({ filter: { spaces: ['!s:x'] } })], ['b', list({ filter: { notTags: [] } })]]); // prettier-ignore
    expect(subjectsOf({ lists })).toEqual({ hasTags: true, spaces: new Set(['!s:x']) });
    expect(subjectsOf({ lists: new Map([['a', list()]]) })).toEqual({ hasTags: false, spaces: new Set() });
  });
});
