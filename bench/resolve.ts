import { atOnce } from '#kernel/steps';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { RoomEvent } from '#protocol/room-event';
import { ROOM_VERSIONS } from '#protocol/room-versions/room-versions';
import { splitConflicted } from '#protocol/state-resolution/split-conflicted';
import { type StateEntry, type StateTrie, trieOf } from '#protocol/state-trie/state-trie';
import type { KnownEvent } from '#rooms/receive/known-room';
import { resolveStates } from '#rooms/receive/resolve-states';
import { type Figure, median } from './figures.js';

/** Rooms of so many members before the fork, what the forks do, and how long their resolution may take, in milliseconds. */
const CASES = [
  { name: '10,000 members, 500 changed in both forks', members: 10_000, changed: 500, joined: 0, limitMs: 50 },
  { name: '10,000 members who joined in one fork', members: 0, changed: 0, joined: 10_000, limitMs: 50 },
  { name: '10,000 members, all changed in both forks', members: 10_000, changed: 10_000, joined: 0, limitMs: 50 },
  { name: '80,000 members, 500 changed in both forks', members: 80_000, changed: 500, joined: 0, limitMs: 100 },
];
const RUNS = 5;
const FLOOR = 'the differences found, and set once, ms';
const CREATOR = '@creator:bench.example';

/** Two forks of a large room come together: processor time, in memory, beside what no resolution can do without. */
export async function benchResolve(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { name, members, changed, joined, limitMs } of CASES) {
    const room = new ForkedRoom(members);
    const states: [StateTrie, StateTrie] = [room.fork('a', changed, joined), room.fork('b', changed, 0)];
    const value = await timeOf(async () => (await resolveStates(states, room)).rootHash);
    const floor = await timeOf(async () => {
      const { conflicts } = atOnce(splitConflicted(states));
      return states[0].change(conflicts.map((one) => ({ ...one, eventId: one.perState[1] }))).rootHash;
    });
    const aim = `< ${limitMs} ms`;
    figures.push({ name, value, unit: 'ms', floor, floorName: FLOOR, aim, reached: value < limitMs });
  }
  return figures;
}

/** A room of version 11 in memory, whose events are neither signed nor hashed. */
class ForkedRoom {
  readonly version = ROOM_VERSIONS.find(({ id }) => id === '11')!;
  readonly createEvent: RoomEvent;
  readonly #known = new Map<EventId, KnownEvent>();
  readonly #first: readonly EventId[];
  readonly #base: StateTrie;

  constructor(private readonly members: number) {
    this.createEvent = this.#make('m.room.create', '', CREATOR, { room_version: '11' }, []);
    const create = this.createEvent.eventId;
    const creator = this.#make('m.room.member', CREATOR, CREATOR, { membership: 'join' }, [create]);
    const auth = [create, creator.eventId];
    const levels = this.#make('m.room.power_levels', '', CREATOR, { users: { [CREATOR]: 100 } }, auth);
    const rule = this.#make('m.room.join_rules', '', CREATOR, { join_rule: 'public' }, [...auth, levels.eventId]);
    this.#first = [create, levels.eventId, rule.eventId];
    const start = [this.createEvent, creator, levels, rule].map(entryOf);
    this.#base = trieOf([...start, ...Array.from({ length: members }, (_, i) => this.#join(i, 'first'))]);
  }

  /** A state in which some members changed their names and some joined; its root is known. */
  fork(name: string, changed: number, joined: number): StateTrie {
    let state = this.#base;
    for (let i = 0; i < changed + joined; i++) {
      const which = i < changed ? i : this.members + i;
      const before = state.get('m.room.member', `@member${which}:bench.example`);
      const { type, stateKey, eventId } = this.#join(which, name, before);
      state = state.set(type, stateKey, eventId);
    }
    void state.rootHash;
    return state;
  }

  async find(eventIds: readonly EventId[]): Promise<ReadonlyMap<EventId, KnownEvent>> {
    const found = new Map<EventId, KnownEvent>();
    for (const eventId of eventIds) {
      const one = this.#known.get(eventId);
      if (one !== undefined) found.set(eventId, one);
    }
    return found;
  }

  #join(i: number, displayname: string, before?: EventId): StateEntry {
    const user = `@member${i}:bench.example`;
    const auth = before === undefined ? this.#first : [...this.#first, before];
    return entryOf(this.#make('m.room.member', user, user, { membership: 'join', displayname }, auth));
  }

  #make(
    type: string,
    stateKey: string,
    sender: string,
    content: JsonObject,
    authEvents: readonly EventId[],
  ): RoomEvent {
    const number = this.#known.size;
    const event: RoomEvent = {
      eventId: `$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-${number}` as EventId,
      roomId: '!room:bench.example' as RoomId,
      type,
      sender: sender as UserId,
      stateKey,
      content,
      originServerTs: 1_700_000_000_000 + number,
      depth: number + 1,
      prevEvents: authEvents.slice(0, 1),
      authEvents,
      redacts: undefined,
      pdu: {},
    };
    this.#known.set(event.eventId, { event, outcome: 'accepted' });
    return event;
  }
}

function entryOf({ type, stateKey = '', eventId }: RoomEvent): StateEntry {
  return { type, stateKey, eventId };
}

/** The median of the processor's time of some runs after one that warms up, in milliseconds. */
async function timeOf(work: () => Promise<unknown>): Promise<number> {
  await work();
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const start = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(start);
    times.push((user + system) / 1_000);
  }
  return median(times);
}
