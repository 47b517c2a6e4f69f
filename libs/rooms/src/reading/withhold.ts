import type { TimelineRow } from '../projections/timeline-row.js';
import type { RoomReader } from './room-reader.js';
import { withholdErased } from './withhold-erased.js';
import { withholdExpired } from './withhold-expired.js';
import { withholdHidden } from './withhold-hidden.js';

/**
 * The same events as they are served to a reader who may see them: without what is withheld from this one, because it is hidden
 * (`withholdHidden`), because its sender has erased themself (`withholdErased`), or because the room keeps messages no longer
 * (`withholdExpired`). `room` covers them all.
 */
export async function withhold(room: RoomReader, rows: readonly TimelineRow[]): Promise<readonly TimelineRow[]> {
  return withholdErased(room, await withholdHidden(room, await withholdExpired(room, rows)));
}

/** Those of some events that `withhold` leaves as they are. `room` covers them all. */
export async function servedWhole(room: RoomReader, rows: readonly TimelineRow[]): Promise<readonly TimelineRow[]> {
  const served = await withhold(room, rows);
  return rows.filter((row, i) => served[i] === row);
}

/** Those of some events of which the reader is told what they relate to. `room` covers them all. */
export async function servedRelated(room: RoomReader, rows: readonly TimelineRow[]): Promise<readonly TimelineRow[]> {
  const served = await withhold(room, rows);
  return rows.filter((row, i) => served[i] === row || served[i]?.content.includes('"m.relates_to"') === true);
}

/** As `withhold`, of one event, which `room` need not cover. */
export async function asServed(room: RoomReader, row: TimelineRow): Promise<TimelineRow> {
  const [served = row] = await withhold(await room.over([row]), [row]);
  return served;
}

/**
 * Whether an event is hidden from the reader, or over: then it is nothing that they have to be told of, and no count tells what it says. PERF: no
 * read where it is neither hidden nor old.
 */
export async function isWithheld(room: RoomReader, row: TimelineRow): Promise<boolean> {
  if ((await withholdExpired(room, [row]))[0] !== row) return true;
  return row.header.hiddenBy !== undefined && (await withholdHidden(room, [row]))[0] !== row;
}
