import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { OwnRows, Projector } from '#projections/projector';
import { REFERENCE, relationOf, REPLACE, THREAD } from '#protocol/relation';
import { isAside, type PduAccepted } from '../facts/room-facts.js';
import { depthKey } from './event-place.js';
import type { RedactedFact, RoomFactReader } from './room-fact-reader.js';

/** `history`: the child was fetched from the past. `aside`: the room forked at it. */
export type RelationMark = 'history' | 'aside';

/** A row of `relations`: [room, parent, depth and position of the child]. */
export type RelationRow = readonly [child: EventId, relType: string, type: string, sender: UserId, mark?: RelationMark];

/** A row of `relation-parents`: [child]. That of a redacted child stays: by it the redaction finds what to take away, however often. */
export type ParentRow = readonly [
  roomId: RoomId,
  parent: EventId,
  position: Position,
  relType: string,
  sender: UserId,
  depth: number,
  isHistory: boolean,
  isRedacted?: true,
];

/** A row of `threads`: [room, root]: how many events it has, and where the last of those stands that were news. */
export interface ThreadRow {
  readonly latest?: Position;
  readonly count: number;
  /** The last fact that was counted: one that is applied again must not count again. */
  readonly pos: Position;
}

/** A row of `thread-senders`: [room, root, sender]: how many of its events are theirs, and where the last of those was sent that was news. */
export interface ThreadSenderRow {
  readonly count: number;
  readonly last?: Position;
  /** As in `ThreadRow`. */
  readonly pos: Position;
}

const AGGREGATED: ReadonlySet<string> = new Set([THREAD, REPLACE, REFERENCE]);

/** Whether relations of a type are summed up for who reads the parent. */
export function isAggregated(relType: string): boolean {
  return AGGREGATED.has(relType);
}

/**
 * `relations`, `relation-parents`: which events say that they relate to which (client-server API, "Forming relationships
 * between events"), in the order of the graph; `threads`, `thread-events`, `threads-log`, `thread-senders`: what becomes of threads
 * ("Threading"), in the order of arrival; `aggregated`: which events were ever related to in a way that is summed up, and in which
 * rooms there are any. A redacted event relates to nothing any more. Events of the past are news in no thread, and count.
 * NOTSPEC: a thread that only such are in is listed once somebody writes in it.
 */
export function relationsProjector(reader: RoomFactReader): Projector {
  return {
    name: 'relations',
    version: 8,
    collections: [
      'relations',
      'relation-parents',
      'threads',
      'thread-events',
      'threads-log',
      'thread-senders',
      'aggregated',
    ],
    handles: (type) => type === 'pdu-accepted' || type === 'pdu-redacted',
    project(fact, rows) {
      if (fact.type === 'pdu-redacted') return forget(reader.redacted(fact), fact.position, rows);
      // PERF: most events relate to nothing, and a PDU's canonical JSON escapes no letters: no need to parse those.
      return fact.data.includes('"m.relates_to"') ? relate(reader, fact, rows) : undefined;
    },
  };
}

/** Stands in `aggregated` for some event or other of a room. */
export const ANY_EVENT = '';

function relate(reader: RoomFactReader, fact: RecordedFact, rows: OwnRows): void | Promise<void> {
  const { roomId, content, data } = reader.accepted(fact);
  const { relType, parent } = relationOf(content) ?? {};
  if (parent === undefined || relType === undefined || !fits(parent)) return undefined;
  const sender = data.pdu['sender'] as UserId;
  const depth = Math.min(Number(data.pdu['depth']), Number.MAX_SAFE_INTEGER);
  const child: ParentRow = [roomId, parent, fact.position, relType, sender, depth, data.history === true];
  const mark = markOf(data);
  const what = [data.event_id, relType, data.pdu['type'] as string, sender] as const;
  const row: RelationRow = mark === undefined ? what : [...what, mark];
  if (relType === THREAD) return relateInThread(row, child, rows);
  return put(row, child, rows);
}

function markOf(data: PduAccepted): RelationMark | undefined {
  if (data.history === true) return 'history';
  return isAside(data) ? 'aside' : undefined;
}

function put(row: RelationRow, back: ParentRow, rows: OwnRows): void {
  const [child, relType] = row;
  const [roomId, parent] = back;
  rows.put('relations', relationKey(back), JSON.stringify(row));
  rows.put('relation-parents', [child], JSON.stringify(back));
  if (!isAggregated(relType)) return;
  rows.put('aggregated', [roomId, parent], '');
  rows.put('aggregated', [roomId, ANY_EVENT], '');
}

function relationKey([roomId, parent, position, , , depth]: ParentRow): readonly string[] {
  return [roomId, parent, depthKey(depth), position];
}

async function relateInThread(row: RelationRow, back: ParentRow, rows: OwnRows): Promise<void> {
  const [roomId, root, position, , sender, , isHistory] = back;
  const thread = parse<ThreadRow>(await rows.get('threads', [roomId, root]));
  const posted = parse<ThreadSenderRow>(await rows.get('thread-senders', [roomId, root, sender]));
  put(row, back, rows);
  if (!isHistory) rows.put('thread-events', [roomId, root, position], row[0]);
  if (thread === undefined || thread.pos < position) {
    if (!isHistory && thread?.latest !== undefined) rows.delete('threads-log', [roomId, thread.latest]);
    const latest = isHistory ? thread?.latest : position;
    putThread(rows, roomId, root, { latest, count: (thread?.count ?? 0) + 1, pos: position });
  } else if (!isHistory) {
    // Counted before. A crash may have left the row of where the thread ended until then.
    const before = await latestInThread(rows, roomId, root, position);
    if (before !== undefined && before !== thread.latest) rows.delete('threads-log', [roomId, before]);
    putThread(rows, roomId, root, thread);
  }
  if (posted !== undefined && posted.pos >= position) return;
  const last = isHistory ? posted?.last : position;
  putSender(rows, roomId, root, sender, { count: (posted?.count ?? 0) + 1, last, pos: position });
}

async function forget({ roomId, data }: RedactedFact, redactedAt: Position, rows: OwnRows): Promise<void> {
  const child = data.event_id;
  const back = parse<ParentRow>(await rows.get('relation-parents', [child]));
  if (back === undefined || back[0] !== roomId) return;
  const [, parent, position, relType, sender, depth, isHistory] = back;
  const redacted: ParentRow = [roomId, parent, position, relType, sender, depth, isHistory, true];
  rows.delete('relations', relationKey(back));
  rows.put('relation-parents', [child], JSON.stringify(redacted));
  if (relType !== THREAD) return;
  rows.delete('thread-events', [roomId, parent, position]);
  rows.delete('threads-log', [roomId, position]);
  const latest = await latestInThread(rows, roomId, parent);
  const thread = parse<ThreadRow>(await rows.get('threads', [roomId, parent]));
  if (thread !== undefined) {
    const isCounted = thread.pos >= redactedAt;
    const left = isCounted ? thread : { latest, count: thread.count - 1, pos: redactedAt };
    if (left.count === 0) rows.delete('threads', [roomId, parent]);
    else putThread(rows, roomId, parent, left);
  }
  const posted = parse<ThreadSenderRow>(await rows.get('thread-senders', [roomId, parent, sender]));
  if (posted === undefined || posted.pos >= redactedAt) return;
  // Where they wrote last is where they have read to, whatever became of what they wrote.
  putSender(rows, roomId, parent, sender, { count: posted.count - 1, last: posted.last, pos: redactedAt });
}

/** One order of keys, whatever happened before: a rebuilt row must be the same text. */
function putThread(rows: OwnRows, roomId: RoomId, root: EventId, { latest, count, pos }: ThreadRow): void {
  rows.put('threads', [roomId, root], JSON.stringify({ latest, count, pos }));
  if (latest !== undefined) rows.put('threads-log', [roomId, latest], root);
}

function putSender(
  rows: OwnRows,
  roomId: RoomId,
  root: EventId,
  sender: UserId,
  { count, last, pos }: ThreadSenderRow,
): void {
  rows.put('thread-senders', [roomId, root, sender], JSON.stringify({ count, last, pos }));
}

/** Where the last event of a thread stands that was news, of those that are left, or of those before a position. */
async function latestInThread(
  rows: OwnRows,
  roomId: RoomId,
  root: EventId,
  position?: Position,
): Promise<Position | undefined> {
  const before = position && [roomId, root, position];
  const [last] = await rows.scan('thread-events', { prefix: [roomId, root], before, reverse: true, limit: 1 });
  return last?.key[2] as Position | undefined;
}

function parse<T>(text: string | undefined): T | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

/** What is longer is the id of no event, and would be too long for a key. */
function fits(id: string): boolean {
  return Buffer.byteLength(id) <= 255;
}
