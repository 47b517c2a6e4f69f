import { type EventId, isUserId, type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import { askGraph } from '../graph/ask-graph.js';
import { isSameStatePlace } from '../graph/graph-rows.js';
import type { GraphState, RoomGraph } from '../graph/room-graph.js';
import { findRowsById } from './event-rows.js';

const MEMBER = 'm.room.member';
const AT_ONCE = 50;
/**
 * NOTSPEC: of so many users of a server that were not in the room, or of whom it is not known, no others are looked at: the server is
 * told less than it may see, not more.
 */
const MOST_LOOKED_AT = 1_000;

/** What a server was at an event of which the log does not tell it. */
export interface PastServerStanding {
  readonly membership: string;
  /** Where the last of its member events that were known there stands in the log; undefined where that is not known. */
  readonly since: Position | undefined;
}

const UNKNOWN: PastServerStanding = Object.freeze({ membership: 'leave', since: undefined });

interface MemberEvent {
  readonly membership: string;
  /** undefined for an event of the past: where it stands says nothing. */
  readonly position: Position | undefined;
}

/** What a server was at events of which the log does not tell it (as `findPastStandings` for a user): by the members in the states there. */
export class PastServerStandings {
  #last:
    | { readonly state: GraphState; readonly members: Map<string, EventId>; readonly standing: PastServerStanding }
    | undefined;
  readonly #read = new Map<EventId, MemberEvent>();

  constructor(
    private readonly views: Views,
    private readonly roomId: RoomId,
    private readonly server: ServerName,
  ) {}

  /** Just after an event of that position. Waits for the graph, and throws ViewsUnavailable where it has not come so far. */
  after(eventId: EventId, position: Position): Promise<PastServerStanding> {
    return this.#ask(position, (graph) => graph.findStateAfter(eventId));
  }

  /** Just before it. */
  before(eventId: EventId, position: Position): Promise<PastServerStanding> {
    return this.#ask(position, (graph) => graph.findStateBefore(eventId));
  }

  async #ask(
    position: Position,
    ask: (graph: RoomGraph) => Promise<GraphState | undefined>,
  ): Promise<PastServerStanding> {
    const state = await askGraph(this.views, this.roomId, position, ask);
    return state === undefined ? UNKNOWN : this.#in(state);
  }

  /** PERF: all of a state is read once; those of the next events mostly are the same, or differ in little. */
  async #in(state: GraphState): Promise<PastServerStanding> {
    const last = this.#last;
    if (last !== undefined && isSameStatePlace(last.state.place, state.place)) return last.standing;
    const members = last?.members ?? new Map<string, EventId>();
    let isChanged = last === undefined;
    const pages = last === undefined ? state.pages() : [await state.changesSince(last.state)];
    for await (const page of pages) {
      for (const { type, stateKey, eventId } of page) {
        if (type !== MEMBER || !this.#isOf(stateKey)) continue;
        isChanged = true;
        if (eventId === null) members.delete(stateKey);
        else members.set(stateKey, eventId);
      }
    }
    const standing = isChanged ? await this.#standingOf([...members.values()]) : last!.standing;
    this.#last = { state, members, standing };
    return standing;
  }

  /** PERF: of a state with many members most are of others. */
  #isOf(stateKey: string): boolean {
    return stateKey.endsWith(`:${this.server}`) && isUserId(stateKey) && serverNameOf(stateKey) === this.server;
  }

  /** The most that these member events say. */
  async #standingOf(eventIds: readonly EventId[]): Promise<PastServerStanding> {
    let membership = 'leave';
    let since: Position | undefined = eventIds.length > MOST_LOOKED_AT ? undefined : START;
    for (let at = 0; at < Math.min(eventIds.length, MOST_LOOKED_AT); at += AT_ONCE) {
      for (const one of await this.#findEvents(eventIds.slice(at, at + AT_ONCE))) {
        if (one.membership === 'join') return { membership: 'join', since: undefined };
        if (one.membership === 'invite') membership = 'invite';
        if (one.position === undefined) since = undefined;
        else if (since !== undefined && one.position > since) since = one.position;
      }
    }
    return { membership, since };
  }

  async #findEvents(eventIds: readonly EventId[]): Promise<MemberEvent[]> {
    const wanted = eventIds.filter((eventId) => !this.#read.has(eventId));
    const rows = await findRowsById(this.views, this.roomId, wanted);
    for (const [i, eventId] of wanted.entries()) {
      const { membership = 'leave', isHistory, position } = rows[i]?.header ?? { isHistory: true };
      this.#read.set(eventId, { membership, position: isHistory === true ? undefined : position });
    }
    return eventIds.map((eventId) => this.#read.get(eventId)!);
  }
}
