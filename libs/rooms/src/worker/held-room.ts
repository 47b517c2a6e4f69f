import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { inTurns } from '#projections/turn';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import type { Rejection } from '#protocol/state-resolution/events-by-id';
import { changeInSteps, type StateTrie } from '#protocol/state-trie/state-trie';
import type { EventAuthor } from '../decide/decide-event.js';
import type { Extremity, RoomHead } from '../decide/room-head.js';
import { roomEventOfFact } from '../facts/read-room-fact.js';
import type { HistoryVisibility, PduRejected } from '../facts/room-facts.js';
import { isAfterGap, isOfThePast } from '../facts/fact-text.js';
import type { GraphEvent, LearntRow } from '../graph/graph-rows.js';
import { type GraphSources, RecentGraph } from '../graph/recent-graph.js';
import type { GraphState, RoomGraph } from '../graph/room-graph.js';
import { type Policy, policyEventIdOf } from '../room-policy.js';
import { endsNothing, type KnownEvent, type KnownRoom } from '../receive/known-room.js';
import type { LiveRoom } from './live-room.js';
import { readRevisions } from './read-revisions.js';
import type { Undurable } from './undurable.js';

/** PERF: so many events are read, and parsed, in some milliseconds; others have their turn in between. */
const READ_AT_ONCE = 200;

/** The room as a turn has it now. */
export interface TurnState {
  readonly room: LiveRoom;
  readonly head: RoomHead;
  readonly undurable: Undurable;
}

/**
 * A room while a turn holds it, as judging an event asks for it: what the turn and those before it decided, what the room has in
 * memory, and for the rest the rows of the graph and the log. Throws ViewsUnavailable where rows are needed and cannot be read.
 */
export class HeldRoom implements KnownRoom {
  constructor(
    private readonly turn: TurnState,
    private readonly sources: GraphSources & {
      readonly author: Pick<EventAuthor, 'serverName'>;
      readonly policy?: Policy | undefined;
    },
  ) {}

  get ours(): ServerName {
    return this.sources.author.serverName;
  }

  get roomId(): RoomId {
    return this.turn.room.roomId;
  }

  get version(): RoomVersion {
    return this.turn.head.version;
  }

  get createEvent(): RoomEvent | undefined {
    const { revision, createEvent } = this.turn.head;
    return revision < 0 ? undefined : createEvent;
  }

  get state(): StateTrie {
    return this.turn.head.state;
  }

  get policyId(): EventId | undefined {
    const { state } = this.turn.head;
    return this.sources.policy?.concerns?.(state) === true ? policyEventIdOf(state) : undefined;
  }

  get visibility(): HistoryVisibility {
    return this.turn.head.visibility;
  }

  get extremities(): readonly Extremity[] {
    return this.turn.head.extremities;
  }

  async find(eventIds: readonly EventId[]): Promise<ReadonlyMap<EventId, KnownEvent>> {
    const { room, undurable } = this.turn;
    const found = new Map<EventId, KnownEvent>();
    const others: EventId[] = [];
    for (const eventId of eventIds) {
      const one = undurable.find(eventId) ?? room.known.get(eventId);
      if (one === undefined) others.push(eventId);
      else found.set(eventId, one);
    }
    for (let at = 0; at < others.length; at += READ_AT_ONCE) {
      if (at > 0) await nextTurn();
      for (const [eventId, one] of await this.#read(others.slice(at, at + READ_AT_ONCE))) {
        room.known.set(eventId, one);
        found.set(eventId, one);
      }
    }
    for (const [eventId, one] of found) {
      const remains = undurable.findRemains(eventId);
      if (remains !== undefined) found.set(eventId, { ...one, event: remains, isRedacted: true });
    }
    return found;
  }

  async stateAfter(eventId: EventId): Promise<StateTrie> {
    const { room, head, undurable } = this.turn;
    const extremity = head.extremities.find((one) => one.eventId === eventId);
    const known = undurable.find(eventId)?.after ?? extremity?.state ?? room.states.get(eventId);
    if (known !== undefined) return known;
    const graph = await this.#graph();
    const kept = await graph.findStateAfter(eventId);
    if (kept === undefined) throw new Error(`${this.roomId}: the state after ${eventId} is not known`);
    const state = await this.#stateOf(kept, graph);
    room.states.set(eventId, state);
    return state;
  }

  async findLearntState(eventId: EventId): Promise<StateTrie | undefined> {
    const decided = this.turn.undurable.findLearntState(eventId);
    if (decided !== undefined) return decided;
    const graph = await this.#graph();
    if ((await this.findTelling(eventId)) === undefined) return undefined;
    const kept = await graph.findLearntState(eventId);
    return kept && this.#stateOf(kept, graph);
  }

  /** How far other servers have told the state before an event; undefined where none did. Of what is in the log. */
  async findTelling(eventId: EventId): Promise<LearntRow | undefined> {
    const telling = await (await this.#graph()).findTelling(eventId);
    return telling !== undefined && telling.revision >= this.turn.head.since ? telling : undefined;
  }

  async isHole(eventId: EventId): Promise<boolean> {
    return this.turn.undurable.isHole(eventId) || (await this.#graph()).isHole(eventId);
  }

  async findRedactionsOf(eventId: EventId): Promise<readonly RoomEvent[]> {
    const ids = await (await this.#graph()).listRedactionsOf(eventId);
    const known = ids.length === 0 ? undefined : await this.find(ids);
    // One that was redacted itself may not say any more what it redacts.
    const kept = ids.flatMap((id) => known?.get(id) ?? []).map(({ event }) => ({ ...event, redacts: eventId }));
    return [...kept, ...this.turn.undurable.redactionsOf(eventId)];
  }

  /**
   * PERF: most states that are asked for are the current one, or that after another extremity, which are in memory. Others mostly differ
   * little from the current one: in a room of 10,000 what does is read in 4 ms, and all of a state in 30 or more.
   */
  async #stateOf(kept: GraphState, graph: RoomGraph): Promise<StateTrie> {
    const root = await kept.findRoot();
    const { head, room } = this.turn;
    const same = [head.state, ...head.extremities.map(({ state }) => state)].find((one) => one?.rootHash === root);
    if (same !== undefined) return same;
    const newest = room.head.extremities.at(-1);
    const now = newest && (await graph.findStateSince(newest.eventId));
    if (now === undefined || (await now.findRoot()) !== room.head.state.rootHash) return kept.trie();
    const changes = await kept.changesSince(now);
    const values = changes.map((one) => ({ ...one, eventId: one.eventId ?? undefined }));
    return inTurns(changeInSteps(room.head.state, values));
  }

  #graph(): Promise<RoomGraph> {
    const { room } = this.turn;
    // All facts after this place are noted from here on.
    const last = { revision: room.head.revision, position: room.position };
    room.graph ??= new RecentGraph(room.roomId, last, this.sources);
    return room.graph.open();
  }

  /** Events of the log. */
  async #read(eventIds: readonly EventId[]): Promise<[EventId, KnownEvent][]> {
    const graph = await this.#graph();
    const places = await Promise.all(eventIds.map((eventId) => placeOf(graph, eventId)));
    const { since } = this.turn.head;
    const known = places.flatMap((place) => (place !== undefined && place.decided.revision >= since ? [place] : []));
    const revisions = known.flatMap(({ decided, redacted }) => [decided.revision, redacted ?? decided.revision]);
    const facts = await readRevisions(this.sources.store, this.roomId, revisions);
    return known.map((place) => [place.eventId, this.#knownEventOf(place, facts)]);
  }

  #knownEventOf({ decided, redacted }: LoggedEvent, facts: ReadonlyMap<number, RecordedFact>): KnownEvent {
    const { outcome, revision } = decided;
    const fact = facts.get(revision)!;
    const rejection = rejectionOf(decided, fact);
    const known = outcome === 'rejected-outlier' ? 'outlier' : outcome;
    const gap = { isOfThePast: isOfThePast(fact.data), isAfterGap: isAfterGap(fact.data) };
    return {
      event: roomEventOfFact(this.roomId, facts.get(redacted ?? revision)!),
      outcome: known,
      ...(rejection === undefined ? {} : { rejection }),
      ...(redacted === undefined ? {} : { isRedacted: true }),
      ...(endsNothing(known, gap) ? { endedNothing: true } : {}),
    };
  }
}

/** Where an event is in the log, and what remains of it. */
interface LoggedEvent {
  readonly eventId: EventId;
  readonly decided: GraphEvent;
  readonly redacted: number | undefined;
}

async function placeOf(graph: RoomGraph, eventId: EventId): Promise<LoggedEvent | undefined> {
  const decided = await graph.findEvent(eventId);
  return decided && { eventId, decided, redacted: await graph.findRedacted(eventId) };
}

function rejectionOf({ outcome }: GraphEvent, { data }: RecordedFact): Rejection | undefined {
  if (outcome === 'rejected-outlier') return 'auth-events';
  return outcome === 'rejected' ? (JSON.parse(data) as PduRejected).check : undefined;
}
