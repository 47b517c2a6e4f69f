import type { EventId, UserId } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import type { Position } from '#kernel/position';
import { REFERENCE, relationOf, REPLACE, THREAD } from '#protocol/relation';
import {
  AGGREGATED,
  ANY_EVENT,
  isAggregated,
  RELATIONS,
  THREAD_SENDERS,
  THREADS,
} from '../projections/relations.projector.js';
import { contentOfRow, type TimelineRow } from '../projections/timeline-row.js';
import { readRowsAt } from '../reading/event-rows.js';
import type { RoomReader } from '../reading/room-reader.js';
import { isWithheld, servedWhole } from '../reading/withhold.js';
import { markedBy, seenRelations } from './seen-relations.js';

/** What others say of an event, summed up for one reader: client-server API, "Aggregations of child events". */
export interface Bundle {
  /** The most recent valid replacement. */
  readonly replacement?: TimelineRow;
  /** The events that reference it, in the order of the log. */
  readonly references: readonly EventId[];
  readonly thread?: ThreadSummary;
}

/** A thread as one reader sees it. */
export interface ThreadSummary {
  readonly latest: TimelineRow;
  readonly count: number;
  readonly participated: boolean;
}

/** How far relations are summed up. */
export interface BundleRange {
  /** The last position that counts; undefined: all of the room. */
  readonly upTo?: Position;
}

export type Bundles = ReadonlyMap<EventId, Bundle>;

export const NO_BUNDLES: Bundles = new Map();

/** A child of an event that the reader is shown. */
interface Child {
  readonly id: EventId;
  readonly relType: string;
  readonly type: string;
  readonly sender: UserId;
  readonly position: Position;
  readonly isHistory: boolean;
  readonly isAside: boolean;
}

/** The most children of one event that are summed up, the newest. Of a longer thread the rest is counted unseen. */
const MAX_CHILDREN = 2_000;
/** The most children of one event that are looked at: most of many are reactions, which are not summed up. */
const MAX_LOOKED_AT = 20_000;
/** So many events are looked up without asking first whether the room has anything to sum up. */
const FEW = 3;
/** The most replacements that are compared, the newest. */
const MAX_REPLACEMENTS = 50;

/**
 * Sums up what relates to some events of a room: only what the reader is shown, and nothing that was redacted. State events
 * have no bundles. PERF: one look-up tells which of the events have any.
 */
export async function readBundles(
  room: RoomReader,
  rows: readonly TimelineRow[],
  { upTo }: BundleRange,
): Promise<Bundles> {
  const own = await readEach(room, rows, upTo);
  // "child events of the latest_event should themselves be aggregated".
  const latest = [...own.values()].flatMap(({ thread }) => (thread === undefined ? [] : [thread.latest]));
  const inner = await readEach(
    room,
    latest.filter(({ header }) => !own.has(header.eventId)),
    upTo,
  );
  return new Map([...inner, ...own]);
}

async function readEach(
  room: RoomReader,
  rows: readonly TimelineRow[],
  upTo: Position | undefined,
): Promise<Map<EventId, Bundle>> {
  const parents = rows.filter(({ header }) => header.stateKey === undefined);
  const bundles = new Map<EventId, Bundle>();
  if (parents.length === 0) return bundles;
  const { views, roomId } = room;
  // PERF: of most rooms nothing is summed up at all, and that costs one look-up to know.
  if (parents.length > FEW && !(await AGGREGATED.has(views, [roomId, ANY_EVENT]))) return bundles;
  const marks = await AGGREGATED.getMany(
    views,
    parents.map(({ header }) => [roomId, header.eventId] as const),
  );
  const marked = parents.filter((_, i) => marks[i] !== undefined);
  const read = await Promise.all(marked.map((parent) => readBundle(room, parent, upTo)));
  for (const [i, bundle] of read.entries()) if (bundle !== undefined) bundles.set(marked[i]!.header.eventId, bundle);
  return bundles;
}

async function readBundle(
  room: RoomReader,
  parent: TimelineRow,
  upTo: Position | undefined,
): Promise<Bundle | undefined> {
  const { summedUp, isAll } = await readChildren(room, parent, upTo);
  const children = await shownOf(room, summedUp);
  const replacement = await findReplacement(room, parent, children);
  const references = children.filter(({ relType }) => relType === REFERENCE).map(({ id }) => id);
  const unseen = isAll ? 0 : await countUnseen(room, parent, summedUp);
  const thread = await summariseThread(room, parent, children, unseen);
  if (replacement === undefined && references.length === 0 && thread === undefined) return undefined;
  return { replacement, references, thread };
}

/** The children that are summed up, in the order of the graph: the newest of them, past whatever else relates to the event. */
async function readChildren(
  { views, roomId }: RoomReader,
  { header: { eventId: parent } }: TimelineRow,
  upTo: Position | undefined,
): Promise<{ readonly summedUp: readonly Child[]; readonly isAll: boolean }> {
  const range = { prefix: [roomId, parent], reverse: true } as const;
  const newestFirst: Child[] = [];
  let lookedAt = 0;
  for await (const page of RELATIONS.pages(views, range, MAX_CHILDREN)) {
    for (const { key, value } of page) {
      const [id, relType, type, sender, mark] = value;
      const position = key[3];
      if (upTo !== undefined && position > upTo) continue;
      if (isAggregated(relType)) newestFirst.push({ id, relType, type, sender, position, ...markedBy(mark) });
    }
    lookedAt += page.length;
    if (newestFirst.length >= MAX_CHILDREN || lookedAt >= MAX_LOOKED_AT)
      return { summedUp: newestFirst.slice(0, MAX_CHILDREN).toReversed(), isAll: false };
  }
  return { summedUp: newestFirst.toReversed(), isAll: true };
}

/** Those that the reader knows of, and does not ignore. */
function shownOf(room: RoomReader, children: readonly Child[]): Promise<readonly Child[]> {
  const { ignored } = room.reader;
  return seenRelations(
    room,
    children.filter(({ sender }) => !ignored.has(sender)),
  );
}

/** "The most recent event is determined by comparing origin_server_ts", then the event ids; see "Validity of replacement events". */
async function findReplacement(
  room: RoomReader,
  parent: TimelineRow,
  children: readonly Child[],
): Promise<TimelineRow | undefined> {
  const { sender, type, redactedBy } = parent.header;
  if (redactedBy !== undefined) return undefined;
  const edits = children.filter((one) => one.relType === REPLACE && one.sender === sender && one.type === type);
  if (edits.length === 0 || relationOf(contentOfRow(parent))?.relType === REPLACE) return undefined;
  const rows = await readRows(room, edits.slice(-MAX_REPLACEMENTS));
  const valid = rows.filter((row): row is TimelineRow => row !== undefined && isReplacement(row));
  const whole = await servedWhole(await room.over(valid), valid);
  // An edit is younger than what it replaces, and tells what that said.
  if (whole.length === 0 || (await isWithheld(room, parent))) return undefined;
  return whole.toSorted(({ header: a }, { header: b }) => b.sentAt - a.sentAt || (a.eventId < b.eventId ? 1 : -1))[0];
}

function isReplacement(row: TimelineRow): boolean {
  const { header } = row;
  if (header.stateKey !== undefined || header.redactedBy !== undefined) return false;
  // What an encrypted event holds is not known here.
  return header.type === 'm.room.encrypted' || isJsonObject(contentOfRow(row)['m.new_content']);
}

async function summariseThread(
  room: RoomReader,
  root: TimelineRow,
  children: readonly Child[],
  unseen: number,
): Promise<ThreadSummary | undefined> {
  const inThread = children.filter(({ relType }) => relType === THREAD);
  const last = inThread.at(-1);
  if (last === undefined) return undefined;
  const [latest] = await readRows(room, [last]);
  if (latest === undefined) return undefined;
  const participated = root.header.sender === room.reader.userId || (await hasPosted(room, root.header.eventId));
  return { latest, count: inThread.length + unseen, participated };
}

async function hasPosted({ views, roomId, reader }: RoomReader, root: EventId): Promise<boolean> {
  const posted = await THREAD_SENDERS.get(views, [roomId, root, reader.userId]);
  return posted !== undefined && posted.count > 0;
}

/** How many events of a long thread lie before those that were looked at. "It does not include events sent by ignored users." */
async function countUnseen(
  { views, roomId, reader }: RoomReader,
  { header: { eventId: root } }: TimelineRow,
  summedUp: readonly Child[],
): Promise<number> {
  const thread = await THREADS.get(views, [roomId, root]);
  if (thread === undefined) return 0;
  const counted = summedUp.filter(({ relType, sender }) => relType === THREAD && !reader.ignored.has(sender));
  const ignored = await THREAD_SENDERS.getMany(
    views,
    [...reader.ignored].map((userId) => [roomId, root, userId] as const),
  );
  const uncounted = ignored.reduce((sum, row) => sum + (row?.count ?? 0), counted.length);
  return Math.max(0, thread.count - uncounted);
}

async function readRows(
  { views, roomId }: RoomReader,
  children: readonly Child[],
): Promise<(TimelineRow | undefined)[]> {
  if (children.length === 0) return [];
  return readRowsAt(views, roomId, children);
}
