import type { EventId, RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { parseRoomEvent } from '#protocol/parse-room-event';
import { parseJson } from '#protocol/canonical-json/parse-json';
import type { Pdu } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import type { StateEntry } from '#protocol/state-trie/state-trie';
import { askGraph } from '../graph/ask-graph.js';
import { type GraphState, RoomGraph } from '../graph/room-graph.js';
import { type PduSources, readPdus } from './read-pdus.js';

/** PERF: so many events are read, and parsed, in a few milliseconds; others have their turn in between. */
const AT_ONCE = 128;

/** A room whose state another server is told. */
export interface ToldRoom {
  readonly roomId: RoomId;
  readonly version: RoomVersion;
}

/**
 * The state before an event and all that authorises it, as other servers are told it: server-server API, `send_join`, `state`. Both are
 * told some hundred events at a time, for they may be a hundred thousand; the auth chain is known once the state was told.
 */
export class StateTelling {
  /** What is still to be told of the auth chain. */
  readonly #open = new Set<EventId>();
  readonly #told = new Set<EventId>();

  private constructor(
    private readonly sources: PduSources,
    private readonly room: ToldRoom,
    private readonly before: GraphState,
  ) {}

  /**
   * Of an event that is in the views at a position, or was before. Throws ViewsUnavailable where the state is not known.
   */
  static async before(
    sources: PduSources & { readonly views: Views },
    room: ToldRoom,
    eventId: EventId,
    position: Position | undefined,
  ): Promise<StateTelling> {
    const ask = (graph: RoomGraph): Promise<GraphState | undefined> => graph.findStateBefore(eventId);
    const { views } = sources;
    const state = await (position === undefined
      ? ask(new RoomGraph(views, room.roomId))
      : askGraph(views, room.roomId, position, ask));
    if (state === undefined) throw new ViewsUnavailable(`the state before ${eventId} is not known`);
    return new StateTelling(sources, room, state);
  }

  /** The events of the state, each by its text; without those that `isLeftOut`. */
  async *state(isLeftOut?: (entry: StateEntry) => boolean): AsyncGenerator<string, void> {
    for await (const page of this.before.pages()) {
      const entries = isLeftOut === undefined ? page : page.filter((entry) => !isLeftOut(entry));
      for (let at = 0; at < entries.length; at += AT_ONCE) {
        yield* this.#read(entries.slice(at, at + AT_ONCE).map(({ eventId }) => eventId as EventId));
      }
    }
  }

  /** Lets the auth chain hold what authorises one more event, which is no part of it. */
  authorise({ authEvents }: { readonly authEvents: readonly EventId[] }): void {
    for (const eventId of authEvents) this.#note(eventId);
  }

  /** The auth chains of all that was told of the state, each event once. */
  async *authChain(): AsyncGenerator<string, void> {
    while (this.#open.size > 0) {
      const some: EventId[] = [];
      for (const eventId of this.#open) {
        some.push(eventId);
        if (some.length === AT_ONCE) break;
      }
      for (const eventId of some) this.#open.delete(eventId);
      yield* this.#read(some);
    }
  }

  async *#read(eventIds: readonly EventId[]): AsyncGenerator<string, void> {
    const { roomId, version } = this.room;
    for (const text of (await readPdus(this.sources, roomId, eventIds)).values()) {
      const pdu = parseJson(text, { lenient: !version.strictCanonicalJson }) as Pdu;
      this.authorise(parseRoomEvent(pdu, version, roomId));
      yield text;
    }
  }

  #note(eventId: EventId): void {
    if (this.#told.has(eventId)) return;
    this.#told.add(eventId);
    this.#open.add(eventId);
  }
}
