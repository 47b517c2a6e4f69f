import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import { owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { depthOf, redactionTargetOf, referencedIds } from '../facts/pdu-fields.js';
import { DeepestBefore } from './deepest-before.js';
import { depthKey, eventKeyPart } from './event-place.js';
import { type AcceptedFact, currentStateOf, type RedactedFact, type RoomFactReader } from './room-fact-reader.js';
import {
  BEHIND_REFUSED,
  collectionOf,
  EVENTS,
  GAPS,
  HISTORY,
  OVERTAKEN,
  EDITS,
  REDACTED_UNSEEN,
  type RowKey,
  rowKeyOf,
  TIMELINE,
  TOPOLOGY,
  type TopologyKey,
  transactionKey,
  TRANSACTIONS,
  VISIBILITY_CHANGES,
} from './timeline-collections.js';
import { afterGapRowOf, redactedRowOf, timelineRowOf, waitingRowOf } from './make-row.js';
import { findMissingBefore, noteRefused } from './missing-before.js';
import { applyVisibility, forgetVisibility, mayConcernVisibility } from './visibility-changes.js';
import { purgeOf, takeAway, takeAwayWith } from './purged-rows.js';
import { hasToWait } from './waiting-redactions.js';
import { rowHeaderOf } from './timeline-row.js';

const HANDLED: ReadonlySet<string> = new Set([
  'pdu-accepted',
  'pdu-soft-failed',
  'pdu-rejected',
  'state-taken',
  'pdu-redacted',
  'room-purged',
]);

/**
 * Every accepted event once, by room and position, and where it is found: in the order of the graph, by its id, and by what a client
 * sent. PERF: an event is stored where the order of its arrival puts it and not by its id, so that pages of the store are full and a
 * page of /sync is one scan.
 */
export function timelineProjector(reader: RoomFactReader): Projector {
  const depths = new DeepestBefore();
  return {
    name: 'timeline',
    version: 22,
    readableSince: 13,
    ...owning(
      TIMELINE,
      HISTORY,
      TOPOLOGY,
      GAPS,
      BEHIND_REFUSED,
      OVERTAKEN,
      EVENTS,
      TRANSACTIONS,
      REDACTED_UNSEEN,
      VISIBILITY_CHANGES,
      EDITS,
    ),
    handles: (type) => HANDLED.has(type),
    project(fact, rows) {
      if (fact.type === 'pdu-redacted') return applyRedaction(reader.redacted(fact), rows);
      if (fact.type === 'room-purged') return purge(fact, rows, depths);
      if (fact.type === 'pdu-soft-failed' || fact.type === 'pdu-rejected') return noteRefused(fact, rows);
      const accepted = reader.accepted(fact);
      if (fact.type === 'state-taken') return applyTaken(accepted, fact, rows);
      if (
        accepted.data.origin === undefined &&
        typeof accepted.data.base !== 'object' &&
        accepted.data.state_pdus === undefined &&
        accepted.data.pdu['type'] !== 'm.room.redaction' &&
        !mayBeOvertaken(accepted.data) &&
        !mayConcernVisibility(accepted)
      ) {
        applyEvent(accepted, fact, rows);
        return depths.note(accepted.roomId, depthOf(accepted.data.pdu), rows);
      }
      return applyOther(accepted, fact, rows, depths);
    },
  };
}

/** PERF: what this server made upon the only extremity of a room needs nothing of this, so that nothing is read for it. */
async function applyOther(
  accepted: AcceptedFact,
  fact: RecordedFact,
  rows: OwnRows,
  depths: DeepestBefore,
): Promise<void> {
  const { roomId, data } = accepted;
  if (data.origin !== undefined) await forgetPlaceless(accepted, rows);
  const { position } = fact;
  // PERF: before its own place is there, which would be the first to be found.
  const found = mayBeOvertaken(data) ? { deepest: await depths.find(roomId, position, rows) } : undefined;
  // PERF: what this server made stands on extremities, of which none was refused.
  const isFromElsewhere = data.origin !== undefined || typeof data.base === 'object';
  const missing = isFromElsewhere ? await findMissingBefore(roomId, data, rows) : [];
  applyEvent({ roomId, data, row: rowOf(accepted, missing) }, fact, rows, missing);
  if (data.state_pdus !== undefined) await applyCarried(accepted, fact, rows);
  await applyVisibility(accepted, rows);
  const depth = depthOf(data.pdu);
  const deepest = found?.deepest ?? -1;
  if (deepest > depth) OVERTAKEN.put(rows, [roomId, position], { depth, deepest });
  depths.note(roomId, depth, rows, found);
}

/** `missing`: what may not be here before it. */
function applyEvent(
  { roomId, data, row }: Pick<AcceptedFact, 'roomId' | 'data' | 'row'>,
  { position, revision }: RecordedFact,
  rows: OwnRows,
  missing: readonly EventId[] = [],
): void {
  const { pdu, event_id: eventId, txn, room_version: version } = data;
  const depth = depthOf(pdu);
  const isHistory = data.history === true;
  const place: TopologyKey = [roomId, depthKey(depth), position];
  collectionOf({ isHistory }).put(rows, [roomId, position], row);
  TOPOLOGY.put(rows, place, isHistory);
  EVENTS.put(rows, [eventKeyPart(eventId), roomId], { position, depth, revision, isHistory });
  if (missing.length > 0) GAPS.put(rows, place, missing);
  if (txn === undefined) return;
  const redacts = redactionTargetOf(pdu, version);
  const { device_id: deviceId, txn_id: txnId } = txn;
  const [userId, type] = [pdu['sender'] as string, pdu['type'] as string];
  const key = transactionKey({ userId, deviceId, roomId, type, txnId, redacts });
  TRANSACTIONS.put(rows, key, position);
}

/**
 * Whether an event may be no deeper than one that came before it. PERF: what this server made upon the only extremity of a room is deeper
 * than that, so nothing is read for it.
 */
function mayBeOvertaken({ origin, history, extremities, pdu }: AcceptedFact['data']): boolean {
  if (history === true) return false;
  return origin !== undefined || extremities?.length !== 1 || referencedIds(pdu['prev_events']).length > 1;
}

/** An event of the state that a join brought: it is found by its id alone, for where it stands in the room is not known. */
function applyTaken(
  { roomId, data, lenient }: AcceptedFact,
  { position, revision, metadata }: RecordedFact,
  rows: OwnRows,
): void {
  const { pdu, event_id: eventId, visibility, room_version } = data;
  const placed = { position, receivedAt: metadata.at, visibility, isHistory: true };
  const row = timelineRowOf({ event_id: eventId, ...placed, room_version, pdu, lenient });
  HISTORY.put(rows, [roomId, position], row);
  const place = { position, depth: depthOf(pdu), revision, isHistory: true, isPlaceless: true };
  EVENTS.put(rows, [eventKeyPart(eventId), roomId], place);
}

/**
 * Stores the events that became current by this fact and that nobody was shown before: they were soft-failed, or known as a part of
 * a state alone. "In that case the client should be told" (server-server API, "Soft failure"), and may ask for them.
 */
async function applyCarried(accepted: AcceptedFact, fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { roomId, data, lenient } = accepted;
  const { position, metadata } = fact;
  for (const [carriedAs, { change, pdu }] of currentStateOf(accepted).entries()) {
    const { event_id: eventId } = change;
    const key = [eventKeyPart(eventId), roomId] as const;
    if (eventId === data.event_id || (await EVENTS.has(rows, key))) continue;
    const { visibility, room_version } = data;
    const revision = data.told_in?.[eventId] ?? fact.revision;
    const place = { position, depth: depthOf(pdu), revision, isHistory: true, isPlaceless: true, carriedAs };
    const placed = { position, receivedAt: metadata.at, visibility, isHistory: true };
    const row = timelineRowOf({ event_id: eventId, ...placed, room_version, pdu, lenient });
    const by = await REDACTED_UNSEEN.get(rows, [roomId, key[0]]);
    HISTORY.put(rows, rowKeyOf(roomId, place), by === undefined ? row : redactedRowOf(row, by, { room_version, pdu }));
    EVENTS.put(rows, key, place);
  }
}

/** Takes away what stood for an event as a part of a state: it has a place now, and two rows could not be redacted at once. */
async function forgetPlaceless({ roomId, data }: AcceptedFact, rows: OwnRows): Promise<void> {
  const place = await EVENTS.get(rows, [eventKeyPart(data.event_id), roomId]);
  if (place?.isPlaceless === true) HISTORY.delete(rows, rowKeyOf(roomId, place));
}

/**
 * The row of an event before which something may be missing. It lets a redaction wait until `pdu-redacted` says that it took effect: "they
 * should not be sent to clients until both the redaction event and the event the redaction affects have been received, and can be
 * validated" (room version 3, "Handling redactions"). Clients take every redaction for one that has effect.
 */
function rowOf({ data, row }: AcceptedFact, missing: readonly EventId[]): string {
  const placed = missing.length > 0 ? afterGapRowOf(row) : row;
  return hasToWait(data) ? waitingRowOf(placed, true) : placed;
}

async function applyRedaction({ roomId, data }: RedactedFact, rows: OwnRows): Promise<void> {
  const redaction = await findStored(roomId, data.redacted_by, rows);
  if (redaction !== undefined && rowHeaderOf(redaction.row).isWaiting === true)
    redaction.collection.put(rows, redaction.key, waitingRowOf(redaction.row, false));
  const target = await findStored(roomId, data.event_id, rows);
  const unseen = [roomId, eventKeyPart(data.event_id)] as const;
  if (target !== undefined) target.collection.put(rows, target.key, redactedRowOf(target.row, data.redacted_by, data));
  else if (typeof data.pdu['state_key'] === 'string' && !(await REDACTED_UNSEEN.has(rows, unseen)))
    REDACTED_UNSEEN.put(rows, unseen, data.redacted_by);
  if (target !== undefined) await forgetVisibility(roomId, target.row, rows);
}

/** Lets all go that is known of a room's events. */
async function purge(fact: RecordedFact, rows: OwnRows, depths: DeepestBefore): Promise<void> {
  const purged = purgeOf(fact);
  const { roomId } = purged;
  for (const collection of [collectionOf({ isHistory: false }), collectionOf({ isHistory: true })]) {
    await takeAwayWith(rows, purged, collection, { prefix: [roomId] }, ({ value }) => {
      const { eventId, deviceId, txnId, sender: userId, type, redacts } = rowHeaderOf(value);
      EVENTS.delete(rows, [eventKeyPart(eventId), roomId]);
      if (txnId === undefined || deviceId === undefined) return;
      TRANSACTIONS.delete(rows, transactionKey({ userId, deviceId, roomId, type, txnId, redacts }));
    });
  }
  await takeAway(
    rows,
    purged,
    [TOPOLOGY, GAPS, BEHIND_REFUSED, OVERTAKEN, REDACTED_UNSEEN, VISIBILITY_CHANGES, EDITS],
    [roomId],
  );
  depths.forget(roomId, rows);
}

interface StoredRow {
  readonly collection: ReturnType<typeof collectionOf>;
  readonly key: RowKey;
  readonly row: string;
}

/** An event of a room as it is stored; undefined where it is not. */
async function findStored(roomId: RoomId, eventId: string | undefined, rows: OwnRows): Promise<StoredRow | undefined> {
  if (eventId === undefined) return undefined;
  const place = await EVENTS.get(rows, [eventKeyPart(eventId as EventId), roomId]);
  if (place === undefined) return undefined;
  const [collection, key] = [collectionOf(place), rowKeyOf(roomId, place)];
  const row = await collection.get(rows, key);
  return row === undefined ? undefined : { collection, key, row };
}
