import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { ToldData, ToldRoomData } from '../facts/sliding-facts.js';
import type { WantedState } from './wanted-state.js';

/**
 * What besides its events a connection was told of a room, that it counts as a direct chat, or that of an invitation it was told nothing:
 * bits of `ToldRoom.marks`.
 */
export const TOLD = Object.freeze({ receipts: 1, accountData: 2, typing: 4, direct: 8, uninvited: 16 });

/** How the client of a connection stands to something that it was told: up to a place, or (undefined) up to where it is. */
export interface Told {
  readonly upTo: Position | undefined;
}

/** How it stands to a room. What it was told of it, it was told all together. */
export interface ToldRoom extends Told {
  readonly state: WantedState;
  /** It has so many events at the end of the timeline, or all there are. */
  readonly limit: number;
  readonly marks: number;
}

/** What is told besides rooms and follows from where the client was. */
export type ToldExtension = 'account_data' | 'e2ee' | 'thread_subscriptions';

/** What became of how a client stands to things. */
export interface ToldChange {
  readonly rooms: ReadonlyMap<RoomId, ToldRoom>;
  readonly extensions: ReadonlyMap<ToldExtension, Told>;
}

export const NOTHING_TOLD: ToldChange = Object.freeze({
  rooms: new Map<RoomId, ToldRoom>(),
  extensions: new Map<ToldExtension, Told>(),
});

/** How the client of a connection stands to all that it was told, once it has the answer that the fact at a revision is about. */
export class ToldState {
  #before: ToldState | undefined;
  #told: ToldChange;
  #isGivenUp = false;

  /** `before`: what it stood like when it asked; of that `told` is the change. */
  constructor(
    readonly revision: number,
    before: ToldState | undefined,
    told: ToldChange,
  ) {
    this.#before = before;
    this.#told = told;
  }

  get rooms(): ReadonlyMap<RoomId, ToldRoom> {
    return this.#whole().rooms;
  }

  get extensions(): ReadonlyMap<ToldExtension, Told> {
    return this.#whole().extensions;
  }

  /** What changed since `before`; all there is where nobody asks for that any more. */
  get change(): ToldChange {
    return this.#told;
  }

  /** The revision that it is a change of. */
  get after(): number | null {
    return this.#before?.revision ?? null;
  }

  /** A client has come with what followed it: this one is not known any more. */
  get isForgotten(): boolean {
    return this.#isGivenUp || this.#before?.isForgotten === true;
  }

  /** Its client has come: with what was before nobody will any more. PERF: so a room that is told costs no copy of all that were told before. */
  forgetBefore(): void {
    if (this.#before === undefined) return;
    const before = this.#before.#whole();
    this.#before.#isGivenUp = true;
    const rooms = before.rooms as Map<RoomId, ToldRoom>;
    const extensions = before.extensions as Map<ToldExtension, Told>;
    for (const [roomId, told] of this.#told.rooms) rooms.set(roomId, told);
    for (const [name, told] of this.#told.extensions) extensions.set(name, told);
    this.#told = { rooms, extensions };
    this.#before = undefined;
  }

  #whole(): ToldChange {
    if (this.#before === undefined) return this.#told;
    const before = this.#before.#whole();
    return {
      rooms: new Map([...before.rooms, ...this.#told.rooms]),
      extensions: new Map([...before.extensions, ...this.#told.extensions]),
    };
  }
}

/** As it stands in a fact. */
export function toldDataOf({ rooms, extensions }: ToldChange): ToldData {
  const wanted = new Map<string, number>();
  const told: Record<RoomId, ToldRoomData> = {};
  for (const [roomId, { state, limit, marks, upTo }] of rooms) {
    if (!wanted.has(state.text)) wanted.set(state.text, wanted.size);
    const number = wanted.get(state.text)!;
    told[roomId] = upTo === undefined ? [number, limit, marks] : [number, limit, marks, upTo];
  }
  return {
    wanted: [...wanted.keys()],
    rooms: told,
    extensions: Object.fromEntries([...extensions].map(([name, { upTo }]) => [name, upTo ?? true])),
  };
}

/** Reads what `toldDataOf` wrote; `parse` as `WantedState.parse`. PERF: rooms that were told alike share what is said of them. */
export function toldChangeOf(
  { wanted, rooms, extensions }: ToldData,
  parse: (text: string) => WantedState,
): ToldChange {
  const states = wanted.map(parse);
  const known = new Map<string, ToldRoom>();
  const told = new Map<RoomId, ToldRoom>();
  for (const [roomId, data] of Object.entries(rooms)) {
    const text = data.join();
    let room = known.get(text);
    if (room === undefined) {
      const [number, limit, marks, upTo] = data;
      known.set(text, (room = Object.freeze({ state: states[number]!, limit, marks, upTo })));
    }
    told.set(roomId as RoomId, room);
  }
  const others = Object.entries(extensions).map(([name, upTo]): [ToldExtension, Told] => [
    name as ToldExtension,
    { upTo: upTo === true ? undefined : upTo },
  ]);
  return { rooms: told, extensions: new Map(others) };
}
