import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { asJson, asMark, asText, Collection, type Declared, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { REFERENCE, relationOf, REPLACE, THREAD } from '#protocol/relation';
import { depthOf } from '../facts/pdu-fields.js';
import { isAside, type PduAccepted } from '../facts/room-facts.js';
import { type DepthKey, depthKey, depthOfKey } from './event-place.js';
import type { AcceptedFact, RedactedFact, RoomFactReader } from './room-fact-reader.js';
import { putAside, THREAD_ASIDES } from './thread-asides.js';
import type { TopologyKey } from './timeline-collections.js';
import { purgeByRoom } from './purged-rows.js';

/** `history`: the child was fetched from the past. `aside`: the room forked at it. */
export type RelationMark = 'history' | 'aside';

/** An event that relates to another, how, its type and sender. */
export type RelationRow = readonly [child: EventId, relType: string, type: string, sender: UserId, mark?: RelationMark];

/** What an event relates to. That of a redacted child stays: by it the redaction finds what to take away, however often. */
export type ParentRow = readonly [
  parent: EventId,
  position: Position,
  relType: string,
  sender: UserId,
  depth: number,
  isHistory: boolean,
  isRedacted?: true,
];

/** How many events a thread has, and where the last of those stands that were news; of one that has none, the last in the graph. */
export interface ThreadRow {
  readonly latest?: Position;
  readonly past?: readonly [depth: number, position: Position];
  readonly count: number;
  /** The last fact that was counted: one that is applied again must not count again. */
  readonly pos: Position;
}

/** How many events of a thread are a user's, and where the last of those was sent that was news. */
export interface ThreadSenderRow {
  readonly count: number;
  readonly last?: Position;
  /** As in `ThreadRow`. */
  readonly pos: Position;
}

export type RelationKey = readonly [roomId: RoomId, parent: EventId, depth: DepthKey, position: Position];

/** What relates to an event, in the order of the graph. */
export const RELATIONS = new Collection<RelationKey, RelationRow>('relations', {
  key: ['room', 'event', 'depth', 'position'],
  says: 'an event related to it, how, its type and sender',
  codec: asJson(),
});

/** By the room too: in versions 1 and 2 servers choose the ids of events. */
export const RELATION_PARENTS = new Collection<readonly [roomId: RoomId, child: EventId], ParentRow>(
  'relation-parents',
  {
    key: ['room', 'event'],
    says: 'where its relation stands, how, its sender; of a redacted one too',
    codec: asJson(),
  },
);

export const THREADS = new Collection<readonly [roomId: RoomId, root: EventId], ThreadRow>('threads', {
  key: ['room', 'root'],
  says: 'where its last event stands, how many there are',
  // One order of keys, whatever happened before: a rebuilt row must be the same text.
  codec: {
    encode: ({ latest, past, count, pos }) => JSON.stringify({ latest, past, count, pos }),
    decode: asJson<ThreadRow>().decode,
  },
});

/** What becomes of a thread, in the order of arrival. */
export const THREAD_EVENTS = new Collection<readonly [roomId: RoomId, root: EventId, position: Position], EventId>(
  'thread-events',
  { key: ['room', 'root', 'position'], says: 'an event of it that was news', codec: asText() },
);

export const THREADS_LOG = new Collection<readonly [roomId: RoomId, latest: Position], EventId>('threads-log', {
  key: ['room', 'position of its last event'],
  says: 'the root of a thread',
  codec: asText(),
});

/** The threads that nothing was news in, in the order of the graph. */
export const PAST_THREADS = new Collection<TopologyKey, EventId>('past-threads', {
  key: ['room', 'depth of its last event', 'position'],
  says: 'the root of a thread of which all was fetched from the past',
  codec: asText(),
});

export const THREAD_SENDERS = new Collection<readonly [roomId: RoomId, root: EventId, sender: UserId], ThreadSenderRow>(
  'thread-senders',
  {
    key: ['room', 'root', 'user'],
    says: 'how many are theirs, the last',
    // As in THREADS.
    codec: {
      encode: ({ count, last, pos }) => JSON.stringify({ count, last, pos }),
      decode: asJson<ThreadSenderRow>().decode,
    },
  },
);

/** Stands in AGGREGATED for some event or other of a room. */
export const ANY_EVENT = '';

/** Which events were ever related to in a way that is summed up, and in which rooms there are any. */
export const AGGREGATED = new Collection<readonly [roomId: RoomId, event: EventId | typeof ANY_EVENT], true>(
  'aggregated',
  { key: ['room', 'event'], says: 'empty: something is summed up of what relates to it', codec: asMark },
);

const ALL: readonly Declared[] = [
  RELATIONS,
  RELATION_PARENTS,
  THREADS,
  THREAD_EVENTS,
  THREADS_LOG,
  PAST_THREADS,
  THREAD_SENDERS,
  THREAD_ASIDES,
  AGGREGATED,
];

const SUMMED_UP: ReadonlySet<string> = new Set([THREAD, REPLACE, REFERENCE]);

/** Whether relations of a type are summed up for who reads the parent. */
export function isAggregated(relType: string): boolean {
  return SUMMED_UP.has(relType);
}

/**
 * Which events say that they relate to which (client-server API, "Forming relationships between events"), and what becomes of threads
 * ("Threading"). A redacted event relates to nothing any more. Events of the past are news in no thread, and count.
 */
export function relationsProjector(reader: RoomFactReader): Projector {
  return {
    name: 'relations',
    version: 13,
    ...owning(...ALL),
    handles: (type) => type === 'pdu-accepted' || type === 'pdu-redacted' || type === 'room-purged',
    project(fact, rows) {
      if (fact.type === 'room-purged') return purgeByRoom(fact, rows, ALL);
      if (fact.type === 'pdu-redacted') return forget(reader.redacted(fact), fact.position, rows);
      const accepted = reader.findRelating(fact);
      return accepted === undefined ? undefined : relate(accepted, fact, rows);
    },
  };
}

function relate({ roomId, content, data }: AcceptedFact, fact: RecordedFact, rows: OwnRows): void | Promise<void> {
  const { relType, parent } = relationOf(content) ?? {};
  if (parent === undefined || relType === undefined || !fits(parent)) return undefined;
  const sender = data.pdu['sender'] as UserId;
  const depth = depthOf(data.pdu);
  const back: ParentRow = [parent, fact.position, relType, sender, depth, data.history === true];
  const mark = markOf(data);
  const what = [data.event_id, relType, data.pdu['type'] as string, sender] as const;
  const row: RelationRow = mark === undefined ? what : [...what, mark];
  if (relType === THREAD) return relateInThread(roomId, row, back, rows);
  put(roomId, row, back, rows);
  if (data.history === true) return undefined;
  const parentOf = async (event: EventId): Promise<ParentRow | undefined> =>
    RELATION_PARENTS.get(rows, [roomId, event]);
  return putAside([roomId, fact.position], { relatesTo: parent, sender }, parentOf, rows);
}

function markOf(data: PduAccepted): RelationMark | undefined {
  if (data.history === true) return 'history';
  return isAside(data) ? 'aside' : undefined;
}

function put(roomId: RoomId, row: RelationRow, back: ParentRow, rows: OwnRows): void {
  const [child, relType] = row;
  const [parent] = back;
  RELATIONS.put(rows, relationKey(roomId, back), row);
  RELATION_PARENTS.put(rows, [roomId, child], back);
  if (!isAggregated(relType)) return;
  AGGREGATED.put(rows, [roomId, parent], true);
  AGGREGATED.put(rows, [roomId, ANY_EVENT], true);
}

function relationKey(roomId: RoomId, [parent, position, , , depth]: ParentRow): RelationKey {
  return [roomId, parent, depthKey(depth), position];
}

async function relateInThread(roomId: RoomId, row: RelationRow, back: ParentRow, rows: OwnRows): Promise<void> {
  const [root, position, , sender, , isHistory] = back;
  const thread = await THREADS.get(rows, [roomId, root]);
  const posted = await THREAD_SENDERS.get(rows, [roomId, root, sender]);
  put(roomId, row, back, rows);
  if (!isHistory) THREAD_EVENTS.put(rows, [roomId, root, position], row[0]);
  if (thread === undefined || thread.pos < position) {
    if (thread !== undefined) deleteEnd(rows, roomId, thread);
    putThread(rows, roomId, root, { ...endWith(thread, back), count: (thread?.count ?? 0) + 1, pos: position });
  } else if (!isHistory) {
    // Counted before. A crash may have left the row of where the thread ended until then.
    const before = await latestInThread(rows, roomId, root, position);
    if (before !== undefined && before !== thread.latest) THREADS_LOG.delete(rows, [roomId, before]);
    putThread(rows, roomId, root, thread);
  }
  if (posted !== undefined && posted.pos >= position) return;
  const last = isHistory ? posted?.last : position;
  THREAD_SENDERS.put(rows, [roomId, root, sender], { count: (posted?.count ?? 0) + 1, last, pos: position });
}

async function forget({ roomId, data }: RedactedFact, redactedAt: Position, rows: OwnRows): Promise<void> {
  const child = data.event_id;
  const back = await RELATION_PARENTS.get(rows, [roomId, child]);
  if (back === undefined) return;
  const [parent, position, relType, sender, depth, isHistory, isRedacted] = back;
  const redacted: ParentRow = [parent, position, relType, sender, depth, isHistory, true];
  RELATIONS.delete(rows, relationKey(roomId, back));
  RELATION_PARENTS.put(rows, [roomId, child], redacted);
  // A second redaction takes nothing more away.
  if (relType !== THREAD || isRedacted === true) return;
  THREAD_EVENTS.delete(rows, [roomId, parent, position]);
  THREADS_LOG.delete(rows, [roomId, position]);
  PAST_THREADS.delete(rows, [roomId, depthKey(depth), position]);
  const thread = await THREADS.get(rows, [roomId, parent]);
  if (thread !== undefined) {
    const isCounted = thread.pos >= redactedAt;
    const left = isCounted
      ? thread
      : { ...(await findEnd(rows, roomId, parent)), count: thread.count - 1, pos: redactedAt };
    if (left.count === 0) THREADS.delete(rows, [roomId, parent]);
    else putThread(rows, roomId, parent, left);
  }
  const posted = await THREAD_SENDERS.get(rows, [roomId, parent, sender]);
  if (posted === undefined || posted.pos >= redactedAt) return;
  // Where they wrote last is where they have read to, whatever became of what they wrote.
  THREAD_SENDERS.put(rows, [roomId, parent, sender], { count: posted.count - 1, last: posted.last, pos: redactedAt });
}

type ThreadEnd = Pick<ThreadRow, 'latest' | 'past'>;

/** Where a thread ends with one more event. */
function endWith(thread: ThreadRow | undefined, [, position, , , depth, isHistory]: ParentRow): ThreadEnd {
  if (!isHistory) return { latest: position };
  if (thread?.latest !== undefined) return { latest: thread.latest };
  const isDeeper = thread?.past !== undefined && thread.past[0] > depth;
  return { past: isDeeper ? thread.past : [depth, position] };
}

/** Where a thread ends by the events that are left. */
async function findEnd(rows: OwnRows, roomId: RoomId, root: EventId): Promise<ThreadEnd> {
  const latest = await latestInThread(rows, roomId, root);
  if (latest !== undefined) return { latest };
  for await (const page of RELATIONS.pages(rows, { prefix: [roomId, root], reverse: true })) {
    const last = page.find(({ value: [, relType] }) => relType === THREAD);
    if (last !== undefined) return { past: [depthOfKey(last.key[2]), last.key[3]] };
  }
  return {};
}

function putThread(rows: OwnRows, roomId: RoomId, root: EventId, thread: ThreadRow): void {
  const { latest, past } = thread;
  THREADS.put(rows, [roomId, root], thread);
  if (latest !== undefined) THREADS_LOG.put(rows, [roomId, latest], root);
  else if (past !== undefined) PAST_THREADS.put(rows, [roomId, depthKey(past[0]), past[1]], root);
}

function deleteEnd(rows: OwnRows, roomId: RoomId, { latest, past }: ThreadEnd): void {
  if (latest !== undefined) THREADS_LOG.delete(rows, [roomId, latest]);
  if (past !== undefined) PAST_THREADS.delete(rows, [roomId, depthKey(past[0]), past[1]]);
}

/** Where the last event of a thread stands that was news, of those that are left, or of those before a position. */
async function latestInThread(
  rows: OwnRows,
  roomId: RoomId,
  root: EventId,
  position?: Position,
): Promise<Position | undefined> {
  const before = position && ([roomId, root, position] as const);
  const [last] = await THREAD_EVENTS.scan(rows, { prefix: [roomId, root], before, reverse: true, limit: 1 });
  return last?.key[2];
}

/** What is longer is the id of no event, and would be too long for a key. */
function fits(id: string): boolean {
  return Buffer.byteLength(id) <= 255;
}
