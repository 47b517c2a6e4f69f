import type { EventId, RoomId } from '#kernel/ids';
import { LruCache } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomHead } from '../decide/room-head.js';
import { FIRST_PLACE, RoomTransactions } from './room-transactions.js';

/** A room in memory: its head, and where the log keeps the events that a decision may need. */
export interface LiveRoom {
  readonly roomId: RoomId;
  head: RoomHead;
  /** The chain of the last fact in the stream. */
  chain: string | undefined;
  /** For every event of the current state the fact that holds it, in the form in force (redacted or not). */
  readonly stateRevisions: Map<EventId, number>;
  /** PERF: the state events that decisions used last, parsed; measured by bench/send.ts. */
  readonly events: LruCache<EventId, RoomEvent>;
  /** The transactions of its facts, whoever wrote them: a retry finds its first answer before any view has it. */
  readonly transactions: RoomTransactions;
  /** The position of the last fact that was read in the log, written before or by another process; START where none was. */
  readUpTo: Position;
  /** The revision up to which a snapshot is kept; -1 where there is none. */
  snapshotRevision: number;
}

const CACHED_EVENTS = 1024;

/** A room about to get its first fact, or to be folded from its stream, after the place where a snapshot stands. */
export function liveRoom(roomId: RoomId, head: RoomHead, place = FIRST_PLACE): LiveRoom {
  return {
    roomId,
    head,
    chain: undefined,
    stateRevisions: new Map(),
    events: new LruCache(CACHED_EVENTS),
    transactions: new RoomTransactions(place),
    readUpTo: place.position,
    snapshotRevision: -1,
  };
}
