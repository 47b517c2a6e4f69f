import type { JsonObject } from '#kernel/json';
import { relationOf, THREAD } from '#protocol/relation';
import { contentOfRow, type RowHeader, type TimelineRow } from '../projections/timeline-row.js';
import { findRowsById } from './event-rows.js';
import { findVersion, redactedCopy } from './redacted-copy.js';
import type { RoomReader } from './room-reader.js';

/**
 * The same events, without their content those that are hidden: MSC3531, "Client behavior", which has clients show them to their senders and to
 * those who may hide, as of now, and to nobody else. NOTSPEC: by the proposal servers hand all of it to everybody. PERF: no read where nothing
 * is hidden.
 */
export async function withholdHidden(room: RoomReader, rows: readonly TimelineRow[]): Promise<readonly TimelineRow[]> {
  if (!rows.some(({ header }) => mayConcern(room, header))) return rows;
  if (await room.seesHidden()) return rows;
  const version = await findVersion(room);
  const hidden = rows.filter(({ header }) => mayConcern(room, header));
  const threads = await findThreads(room, hidden);
  return rows.map((row) => (mayConcern(room, row.header) ? redactedCopy(row, version, threads.get(row)) : row));
}

function mayConcern({ reader }: RoomReader, { hiddenBy, redactedBy, sender }: RowHeader): boolean {
  return hiddenBy !== undefined && redactedBy === undefined && sender !== reader.userId;
}

/**
 * What is hidden stays in its thread: its place there is counted, and no business of anybody's. Only in one that is there: what else its sender wrote
 * for the id of one is theirs to read.
 */
async function findThreads(
  { views, roomId }: RoomReader,
  rows: readonly TimelineRow[],
): Promise<ReadonlyMap<TimelineRow, JsonObject>> {
  const roots = rows.flatMap((row) => {
    const { relType, parent } = relationOf(contentOfRow(row)) ?? {};
    return relType === THREAD && parent !== undefined ? [[row, parent] as const] : [];
  });
  if (roots.length === 0) return new Map();
  const ids = roots.map(([, root]) => root);
  const found = await findRowsById(views, roomId, ids);
  const placed = roots.filter((_, i) => found[i] !== undefined);
  return new Map(placed.map(([row, root]) => [row, { 'm.relates_to': { rel_type: THREAD, event_id: root } }]));
}
