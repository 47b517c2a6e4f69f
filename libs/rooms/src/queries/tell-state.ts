import type { EventId, RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import type { StateEntry } from '#protocol/state-trie/state-trie';
import { askGraph } from '../graph/ask-graph.js';
import { type GraphState, RoomGraph } from '../graph/room-graph.js';
import { AuthChain, type PduEntry } from './auth-chain.js';
import type { PduSources } from './read-pdus.js';

/**
 * The state before an event and all that authorises it, as other servers are told it: server-server API, `send_join`, `state`. Both are
 * told some hundred events at a time, for they may be a hundred thousand; the auth chain is known once the state was told.
 */
export class StateTelling {
  readonly #chain: AuthChain;

  constructor(
    sources: PduSources,
    roomId: RoomId,
    private readonly told: GraphState,
  ) {
    this.#chain = new AuthChain(sources, roomId);
  }

  /** Of an event that is in the views at a position, or was before. Throws ViewsUnavailable where the state is not known. */
  static async before(
    sources: PduSources & { readonly views: Views },
    roomId: RoomId,
    eventId: EventId,
    position: Position | undefined,
  ): Promise<StateTelling> {
    const ask = (graph: RoomGraph): Promise<GraphState | undefined> => graph.findStateBefore(eventId);
    const { views } = sources;
    const state = await (position === undefined
      ? ask(new RoomGraph(views, roomId))
      : askGraph(views, roomId, position, ask));
    if (state === undefined) throw new ViewsUnavailable(`the state before ${eventId} is not known`);
    return new StateTelling(sources, roomId, state);
  }

  /** The events of the state, without those that `isLeftOut`. */
  async *state(isLeftOut?: (entry: StateEntry) => boolean): AsyncGenerator<readonly PduEntry[], void> {
    for await (const page of this.told.pages()) {
      const entries = isLeftOut === undefined ? page : page.filter((entry) => !isLeftOut(entry));
      yield* this.#chain.readAll(entries.map(({ eventId }) => eventId as EventId));
    }
  }

  /** Lets the auth chain hold what authorises one more event, which is no part of it. */
  authorise({ authEvents }: { readonly authEvents: readonly EventId[] }): void {
    this.#chain.hold(authEvents);
  }

  /** The auth chains of all that was told of the state, each event once. */
  authChain(): AsyncGenerator<readonly PduEntry[], void> {
    return this.#chain.pages();
  }
}
