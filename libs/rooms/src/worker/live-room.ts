import type { EventId, RoomId } from '#kernel/ids';
import { LruCache } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import type { RoomEvent } from '#protocol/room-event';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import type { RoomHead } from '../decide/room-head.js';
import type { RecentGraph } from '../graph/recent-graph.js';
import type { KnownEvent } from '../receive/known-room.js';
import type { PolicyStanding } from './policy-question.js';
import { FIRST_PLACE, RoomTransactions } from './room-transactions.js';
import { StateRevisions } from './state-revisions.js';

/** A room in memory: its head, and where the log keeps the events that a decision may need. */
export interface LiveRoom {
  readonly roomId: RoomId;
  head: RoomHead;
  /** The chain of the last fact in the stream. */
  chain: string | undefined;
  /** The position of the last fact in the stream, or of one that was appended together with it; START before the first. */
  position: Position;
  /** For every event of the current state the fact that holds it, in the form in force (redacted or not). */
  readonly stateRevisions: StateRevisions;
  /** PERF: the state events that decisions used last, parsed; measured by bench/send.ts. */
  readonly events: LruCache<EventId, RoomEvent>;
  /** The events, with what became of them, that judging others asked for last. */
  readonly known: LruCache<EventId, KnownEvent>;
  /** PERF: the states after the newest events, for others are about to stand on them; most of each they share (bench/receive.ts). */
  readonly states: LruCache<EventId, StateTrie>;
  /** Its events by their ids, and the states after them; undefined as long as nobody asked since the room had work. */
  graph: RecentGraph | undefined;
  /** The transactions of its facts, whoever wrote them: a retry finds its first answer before any view has it. */
  transactions: RoomTransactions;
  /** The position of the last fact that was read in the log, written before or by another process; START where none was. */
  readUpTo: Position;
  /** Whether its policy server is in it, as it was found last. */
  policyStanding: PolicyStanding | undefined;
  /** The revision up to which a snapshot is kept; -1 where there is none. */
  snapshotRevision: number;
}

const CACHED_EVENTS = 1024;
const CACHED_STATES = 64;

/** A room about to get its first fact, or to be folded from its stream, after the place where a snapshot stands. */
export function liveRoom(roomId: RoomId, head: RoomHead, place = FIRST_PLACE): LiveRoom {
  return {
    roomId,
    head,
    chain: undefined,
    position: place.position,
    stateRevisions: new StateRevisions(),
    events: new LruCache(CACHED_EVENTS),
    known: new LruCache(CACHED_EVENTS),
    states: new LruCache(CACHED_STATES),
    graph: undefined,
    transactions: new RoomTransactions(place),
    readUpTo: place.position,
    policyStanding: undefined,
    snapshotRevision: -1,
  };
}
