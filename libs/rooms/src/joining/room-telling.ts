import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventStore } from '#event-store/event-store';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { inTurns } from '#projections/turn';
import type { Pdu, RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import { headBeforeCreate, type PartialRoom } from '../decide/room-head.js';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import { bytesOf, gatherState, type GatheredState } from '../receive/gather-state.js';
import { judgeOutlier } from '../receive/judge-outlier.js';
import { judgePdu } from '../receive/judge-pdu.js';
import { tellStateInParts } from '../receive/learn-state.js';
import type { Dropped, PreparedPdu } from '../receive/outcome.js';
import type { WantedKey } from '../server-keys.js';
import { beginJoin, checkFilling, learnPart } from '../worker/join-in-turn.js';
import { liveRoom } from '../worker/live-room.js';
import type { RoomWorkers } from '../worker/room-workers.js';
import { type IndexedOutlier, JoinIndex } from './join-index.js';
import { JoiningRoom } from './joining-room.js';
import { makeAhead } from './make-ahead.js';
import { ToldOutliers } from './told-outliers.js';

type Input = Uint8Array | string | Pdu;

/** PDUs, by their bytes or as `parseJson` made them of those; in any order. */
export type Pdus = AsyncIterable<Input> | Iterable<Input>;

/** Events of which nothing was kept. */
export interface LeftOut {
  readonly count: number;
  /** Keys that are not known, some at most: with those fewer would be left out. */
  readonly wantedKeys: readonly WantedKey[];
}

/** What does the checks that need no room. */
interface Preparing {
  prepare(
    inputs: readonly Input[],
    room: { readonly roomId: RoomId; readonly version: RoomVersion; readonly origin: ServerName },
  ): Promise<(PreparedPdu | Dropped)[]>;
}

/** PERF: so many are prepared in one turn of the event loop; measured by bench/joining.ts. */
const PREPARED_AT_ONCE = 32;
const MOST_WANTED_KEYS = 1_000;

/** What another server told of a room. */
export interface ToldRoom {
  readonly authChain: Pdus;
  readonly state: Pdus;
}

interface OneOf {
  readonly input: Input;
  readonly isState: boolean;
}

interface PreparedOne {
  readonly pdu: PreparedPdu | Dropped;
  readonly isState: boolean;
}

/** What a join begins with. */
interface Beginning {
  readonly create: PreparedPdu;
  readonly join: PreparedPdu;
  /** Members are left out of the state: the servers that have some in the room. */
  readonly servers?: readonly ServerName[] | undefined;
}

/** A room while another server tells it, from the beginning of the join up to the state before the join event. */
export class RoomTelling {
  /** The events of the state. */
  readonly #stateIds = new Set<EventId>();
  readonly #wantedKeys = new Map<string, WantedKey>();
  readonly #outliers: ToldOutliers;
  /** Those that did not pass the checks that need no room. */
  #dropped = 0;
  /** Of a partial room: the last fact that fills it, as far as this process knows. */
  filledAt: number | undefined;

  private constructor(
    readonly room: JoiningRoom,
    /** The revision of the fact that began the join. */
    readonly begun: number,
    private readonly origin: ServerName,
    private readonly workers: RoomWorkers,
    private readonly preparing: Preparing,
  ) {
    this.#outliers = new ToldOutliers(room, begun, origin, workers);
  }

  /** Begins a join with its first and its last event. Throws as `beginJoin` does, and M_UNKNOWN where `create` begins no room. */
  static async begin(
    { create, join, servers }: Beginning,
    version: RoomVersion,
    store: Pick<EventStore, 'readStream'>,
    workers: RoomWorkers,
    preparing: Preparing,
  ): Promise<RoomTelling> {
    const { event, origin } = create;
    const { roomId } = event;
    const judged = await judgeOutlier(create, new JoiningRoom(roomId, version, event, new JoinIndex(), store));
    if (event.type !== 'm.room.create' || judged.kind !== 'outlier' || judged.header.reason !== undefined) {
      throw new MatrixError('M_UNKNOWN', 'This event does not begin the room');
    }
    const userId = join.event.sender;
    const { result: begun } = await workers.join(
      roomId,
      { actor: userId },
      async (turn) => beginJoin(turn, judged, { userId, via: origin, servers }),
      liveRoom(roomId, headBeforeCreate(version, event)),
    );
    // An earlier join may have left much of the room here.
    const room = new JoiningRoom(roomId, version, event, await JoinIndex.read(store, roomId), store);
    return new RoomTelling(room, begun, origin, workers, preparing);
  }

  /** Goes on with a partial room: `origin` tells the rest. */
  static resume(
    room: JoiningRoom,
    { revision, filledAt }: Pick<PartialRoom, 'revision' | 'filledAt'>,
    origin: ServerName,
    workers: RoomWorkers,
    preparing: Preparing,
  ): RoomTelling {
    const telling = new RoomTelling(room, revision, origin, workers, preparing);
    telling.filledAt = filledAt;
    return telling;
  }

  get leftOut(): LeftOut {
    return { count: this.#dropped + this.#outliers.leftOut, wantedKeys: [...this.#wantedKeys.values()] };
  }

  /** Stores what was told as outliers, the join event too. Answers why that cannot be among them; undefined where it is. */
  async storeOutliers(told: ToldRoom, join: PreparedPdu): Promise<string | undefined> {
    await this.#takeAll(told);
    await this.#outliers.add(join);
    await this.#outliers.finish();
    return this.room.has(join.event.eventId) ? undefined : 'Not all auth events of the join event were told';
  }

  /** Stores what was told as outliers, where the join event is here already. */
  async storeRest(told: ToldRoom): Promise<void> {
    await this.#takeAll(told);
    await this.#outliers.finish();
  }

  async #takeAll(told: ToldRoom): Promise<void> {
    for await (const group of makeAhead(eventsOf(told), PREPARED_AT_ONCE, (some) => this.#prepare(some))) {
      // PERF: what authorises them is read from the log at once, not one after another.
      const authEvents = group.flatMap(({ pdu }) => (pdu.kind === 'prepared' ? pdu.event.authEvents : []));
      await this.room.find([...new Set(authEvents)]);
      for (const one of group) await this.#take(one);
      await nextTurn();
    }
  }

  /** Learns the state that was told, of which members may be left out (`isPartial`). Answers why it is none; undefined where it is one. */
  async learnState(join: RoomEvent, isPartial: boolean): Promise<string | undefined> {
    if (isPartial) this.#keepAuthorising(join);
    const told = await this.#gather();
    if (typeof told === 'string') return told;
    await this.#learn(join.eventId, told);
    await this.room.learn(told.state);
    return undefined;
  }

  /** Who leaves members out may leave out those by whom the join event is authorised: they are told in its auth chain then. */
  #keepAuthorising({ authEvents }: RoomEvent): void {
    const held = new Set(Array.from(this.#stateEvents(), ({ type, stateKey }) => stateKeyOf(type, stateKey ?? '')));
    for (const eventId of authEvents) {
      const stored = this.room.index.outliers.get(eventId);
      if (stored?.type !== 'm.room.member' || stored.stateKey === undefined) continue;
      if (!held.has(stateKeyOf(stored.type, stored.stateKey))) this.#stateIds.add(eventId);
    }
  }

  /**
   * As `learnState`, of a room that is partial: `before` is what was told first of the state before the join event. Of a key that both have that
   * counts: what was let in by it was. Nothing is learnt where what was told lets the join event not in, or `check` finds a reason.
   */
  async learnRest(
    join: PreparedPdu,
    before: StateTrie,
    check: (state: StateTrie) => string | undefined,
  ): Promise<string | undefined> {
    const told = await this.#gather();
    if (typeof told === 'string') return told;
    const first = [...before.entries()];
    const { eventId, type, stateKey = '' } = join.event;
    // Some tell the state after the event.
    const isAfter = told.state.get(type, stateKey) === eventId;
    const state = (isAfter ? told.state.delete(type, stateKey) : told.state).change(first);
    const longest = first.reduce((most, entry) => Math.max(most, bytesOf(entry)), told.longest);
    await this.room.learn(state);
    const refusal = check(state);
    if (refusal !== undefined) return refusal;
    const judged = await judgePdu(join, this.room);
    if (judged.kind !== 'accepted') return `the join event is ${judged.kind} by the whole state`;
    await this.#learn(join.event.eventId, { state, longest });
    return undefined;
  }

  #gather(): Promise<GatheredState | string> {
    return inTurns(gatherState(this.#stateEvents(), this.room.createEvent.eventId));
  }

  async #learn(join: EventId, { state, longest }: GatheredState): Promise<void> {
    for (const part of tellStateInParts(join, this.origin, state, longest)) {
      const { result } = await this.workers.join(this.room.roomId, { actor: this.origin }, async (turn) => {
        checkFilling(turn, this.begun, this.filledAt);
        learnPart(turn, part);
        return turn.head.partial?.filledAt;
      });
      this.filledAt = result;
    }
  }

  /** What did not pass the checks is not among them. */
  *#stateEvents(): Generator<IndexedOutlier & { readonly eventId: EventId }> {
    for (const eventId of this.#stateIds) {
      const stored = this.room.index.outliers.get(eventId);
      if (stored !== undefined && !stored.isRejected) yield { ...stored, eventId };
    }
  }

  async #prepare(some: readonly OneOf[]): Promise<PreparedOne[]> {
    const { roomId, version } = this.room;
    const inputs = some.map(({ input }) => input);
    const prepared = await this.preparing.prepare(inputs, { roomId, version, origin: this.origin });
    return prepared.map((pdu, i) => ({ pdu, isState: some[i]!.isState }));
  }

  async #take({ pdu, isState }: PreparedOne): Promise<void> {
    if (pdu.kind === 'dropped') {
      this.#dropped++;
      for (const wanted of pdu.wantedKeys) {
        if (this.#wantedKeys.size < MOST_WANTED_KEYS)
          this.#wantedKeys.set(`${wanted.serverName} ${wanted.keyId}`, wanted);
      }
      return;
    }
    if (isState) this.#stateIds.add(pdu.event.eventId);
    await this.#outliers.add(pdu);
  }
}

async function* eventsOf({ state, authChain }: ToldRoom): AsyncGenerator<OneOf> {
  // First the auth chain: on it the state rests.
  for await (const input of authChain) yield { input, isState: false };
  for await (const input of state) yield { input, isState: true };
}
