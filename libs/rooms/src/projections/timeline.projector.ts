import { hash } from 'node:crypto';
import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { type Position, shortPosition } from '#kernel/position';
import { asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import {
  depthKey,
  depthOfKey,
  eventKeyPart,
  type EventPlace,
  formatEventPlace,
  HISTORY_MARK,
  parseEventPlace,
} from './event-place.js';
import {
  type AcceptedFact,
  contentOf,
  currentStateOf,
  type RedactedFact,
  type RoomFactReader,
} from './room-fact-reader.js';
import { redactedRowOf, rowHeaderOf, timelineRowOf, waitingRowOf } from './timeline-row.js';

/** 132 bits: nobody finds two transactions that share a row. */
const HASH_CHARACTERS = 22;

/** What a client sent, as far as two requests are the same: client-server API, "Transaction identifiers". */
export interface SentTransaction {
  readonly userId: string;
  readonly deviceId: string;
  readonly roomId: RoomId;
  readonly type: string;
  readonly txnId: string;
  /** The path of a redaction names its target too. */
  readonly redacts?: string;
}

/** The key of a row in `transactions`: all that tells one apart, hashed to a fixed length. */
export function transactionKey({ userId, deviceId, roomId, type, txnId, redacts }: SentTransaction): readonly string[] {
  const parts = JSON.stringify([userId, deviceId, roomId, type, redacts, txnId]);
  return [hash('sha256', parts, 'base64url').slice(0, HASH_CHARACTERS)];
}

/** The collection that holds the row of an event, by its room and position. */
export function collectionOf({ isHistory }: { readonly isHistory: boolean }): 'history' | 'timeline' {
  return isHistory ? 'history' : 'timeline';
}

/** The key of the row of an event in its collection. */
export function rowKeyOf(
  roomId: RoomId,
  { position, carriedAs }: Pick<EventPlace, 'position' | 'carriedAs'>,
): string[] {
  return carriedAs === undefined ? [roomId, position] : [roomId, position, String(carriedAs)];
}

/** Resolution may make a state event current that was redacted while it was soft-failed: then it is shown for the first time. */
export const REDACTED_UNSEEN = new Collection<readonly [roomId: RoomId, eventKeyPart: string], EventId>(
  'redacted-unseen',
  {
    key: ['room', 'hash of the event'],
    says: 'the redaction that took effect on a state event that nobody was shown',
    codec: asText(),
  },
);

/**
 * Every accepted event once, by room and position: in `timeline` those that were news here, in the order in which they were;
 * in `history` those that were fetched from the past, which are news to nobody, and those known as a part of a state alone. `topology` has both in the order of the graph,
 * `gaps` those whose parents may be missing here, `overtaken` those that came after deeper ones, `events` tells by an event's id where it stands in a room, `transactions` by what a client sent where the event is.
 * PERF: an event is stored where the order of its arrival puts it and not by its id, so that pages of the store are full and a
 * page of /sync is one scan.
 */
export function timelineProjector(reader: RoomFactReader): Projector {
  return {
    name: 'timeline',
    version: 11,
    readableSince: 8,
    ...owning(REDACTED_UNSEEN),
    collections: [
      'timeline',
      'history',
      'topology',
      'gaps',
      'overtaken',
      'events',
      'transactions',
      REDACTED_UNSEEN.name,
    ],
    handles: (type) => type === 'pdu-accepted' || type === 'state-taken' || type === 'pdu-redacted',
    project(fact, rows) {
      if (fact.type === 'pdu-redacted') return applyRedaction(reader.redacted(fact), rows);
      const accepted = reader.accepted(fact);
      if (fact.type === 'state-taken') return applyTaken(accepted, fact, rows);
      if (
        accepted.data.origin === undefined &&
        accepted.data.state_pdus === undefined &&
        !mayBeOvertaken(accepted.data)
      )
        return applyEvent(accepted, fact, rows);
      return applyOther(accepted, fact, rows);
    },
  };
}

/** PERF: what this server made upon the only end of a room needs nothing of this, so that nothing is read for it. */
async function applyOther(accepted: AcceptedFact, fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { data } = accepted;
  if (data.origin !== undefined) await forgetPlaceless(accepted, rows);
  applyEvent(accepted, fact, rows);
  if (mayWait(data)) await letWait(accepted, fact, rows);
  if (data.state_pdus !== undefined) await applyCarried(accepted, fact, rows);
  if (mayBeOvertaken(data)) await noteOvertaken(accepted, fact, rows);
}

function applyEvent({ roomId, data, row }: AcceptedFact, { position, revision }: RecordedFact, rows: OwnRows): void {
  const { pdu, event_id: eventId, txn } = data;
  const depth = depthOf(pdu);
  const isHistory = data.history === true;
  rows.put(collectionOf({ isHistory }), [roomId, position], row);
  rows.put('topology', [roomId, depthKey(depth), position], isHistory ? HISTORY_MARK : '');
  rows.put('events', [eventKeyPart(eventId), roomId], formatEventPlace({ position, depth, revision, isHistory }));
  // Some parents of an event whose state others told may not be here. Mostly all are missing; readers look again.
  if (typeof data.base === 'object')
    rows.put('gaps', [roomId, depthKey(depth), position], JSON.stringify(parentsOf(pdu)));
  if (txn === undefined) return;
  const redacts = pdu['type'] === 'm.room.redaction' ? redactedBy(data) : undefined;
  const { device_id: deviceId, txn_id: txnId } = txn;
  const [userId, type] = [pdu['sender'] as string, pdu['type'] as string];
  const key = transactionKey({ userId, deviceId, roomId, type, txnId, redacts });
  rows.put('transactions', key, shortPosition(position));
}

/**
 * Whether an event may be no deeper than one that came before it. PERF: what this server made upon the only end of a room is deeper
 * than that, so nothing is read for it.
 */
function mayBeOvertaken({ origin, history, extremities, pdu }: AcceptedFact['data']): boolean {
  if (history === true) return false;
  return origin !== undefined || extremities.length > 1 || parentsOf(pdu).length > 1;
}

/** What came before may stand after it in the graph: a page that goes back from just before it must begin there. */
async function noteOvertaken(
  { roomId, data: { pdu } }: AcceptedFact,
  { position }: RecordedFact,
  rows: OwnRows,
): Promise<void> {
  const deepest = await deepestBefore(roomId, position, rows);
  if (deepest !== undefined && deepest > depthOf(pdu)) rows.put('overtaken', [roomId, position], String(deepest));
}

const PAGE = 20;

/** How deep the events go that came before a position. What came after it is there only where facts are applied again. */
async function deepestBefore(roomId: RoomId, position: Position, rows: OwnRows): Promise<number | undefined> {
  let before: readonly string[] | undefined;
  // PERF: mostly the deepest of all came before it.
  for (let limit = 1; ; limit = PAGE) {
    const page = await rows.scan('topology', { prefix: [roomId], before, reverse: true, limit });
    const found = page.find(({ key }) => key[2]! < position);
    if (found !== undefined || page.length < limit) return found && depthOfKey(found.key[1]!);
    before = page.at(-1)!.key;
  }
}

function depthOf(pdu: JsonObject): number {
  return Math.min(Number(pdu['depth']), Number.MAX_SAFE_INTEGER);
}

/** An event of the state that a join brought: it is found by its id alone, for where it stands in the room is not known. */
function applyTaken(
  { roomId, data, lenient }: AcceptedFact,
  { position, revision }: RecordedFact,
  rows: OwnRows,
): void {
  const { pdu, event_id: eventId, visibility } = data;
  const row = timelineRowOf({ event_id: eventId, position, visibility, pdu, lenient, isHistory: true });
  rows.put('history', [roomId, position], row);
  const place = { position, depth: depthOf(pdu), revision, isHistory: true, isPlaceless: true };
  rows.put('events', [eventKeyPart(eventId), roomId], formatEventPlace(place));
}

/**
 * Stores the events that became current by this fact and that nobody was shown before: they were soft-failed, or known as a part of
 * a state alone. "In that case the client should be told" (server-server API, "Soft failure"), and may ask for them.
 */
async function applyCarried(accepted: AcceptedFact, fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { roomId, data, lenient } = accepted;
  const { position, revision } = fact;
  for (const [carriedAs, { change, pdu }] of currentStateOf(accepted).entries()) {
    const { event_id: eventId } = change;
    const key = [eventKeyPart(eventId), roomId];
    if (eventId === data.event_id || (await rows.get('events', key)) !== undefined) continue;
    const { visibility } = data;
    const place = { position, depth: depthOf(pdu), revision, isHistory: true, isPlaceless: true, carriedAs };
    const row = timelineRowOf({ event_id: eventId, position, visibility, pdu, lenient, isHistory: true });
    const by = await REDACTED_UNSEEN.get(rows, [roomId, key[0]!]);
    const shown = by === undefined ? row : redactedRowOf(row, by, pdu);
    rows.put('history', rowKeyOf(roomId, place), shown);
    rows.put('events', key, formatEventPlace(place));
  }
}

/** Takes away what stood for an event as a part of a state: it has a place now, and two rows could not be redacted at once. */
async function forgetPlaceless({ roomId, data }: AcceptedFact, rows: OwnRows): Promise<void> {
  const text = await rows.get('events', [eventKeyPart(data.event_id), roomId]);
  if (text === undefined) return;
  const place = parseEventPlace(text);
  if (place.isPlaceless === true) rows.delete('history', rowKeyOf(roomId, place));
}

/** The parents of an event; in versions 1 and 2 of rooms each stands beside its hash. */
function parentsOf(pdu: JsonObject): unknown[] {
  const parents = pdu['prev_events'];
  return Array.isArray(parents) ? parents.map((parent: unknown) => (Array.isArray(parent) ? parent[0] : parent)) : [];
}

function redactedBy({ pdu }: AcceptedFact['data']): string | undefined {
  const target = pdu['redacts'] ?? contentOf(pdu)['redacts'];
  return typeof target === 'string' ? target : undefined;
}

/** Whether an event is a redaction that may be accepted without taking effect: another server's, by the rules since version 3. */
function mayWait({ origin, pdu, room_version: version }: AcceptedFact['data']): boolean {
  if (origin === undefined || pdu['type'] !== 'm.room.redaction' || pdu['state_key'] !== undefined) return false;
  return findRoomVersion(version)?.redactionAuthRule === false;
}

/**
 * Lets a redaction wait until `pdu-redacted` says that it took effect: "they should not be sent to clients until both the redaction
 * event and the event the redaction affects have been received, and can be validated" (room version 3, "Handling redactions").
 * Clients take every redaction for one that has effect. One of what is redacted already changes nothing for them.
 */
async function letWait(accepted: AcceptedFact, fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { roomId, data, row } = accepted;
  const target = await findStored(roomId, redactedBy(data), rows);
  const first = await findStored(roomId, target && rowHeaderOf(target.row).redactedBy, rows);
  // What came after it is there only where facts are applied again.
  if (first === undefined || first.key[1]! >= fact.position) {
    const collection = collectionOf({ isHistory: data.history === true });
    rows.put(collection, [roomId, fact.position], waitingRowOf(row, true));
  }
}

async function applyRedaction({ roomId, data }: RedactedFact, rows: OwnRows): Promise<void> {
  const redaction = await findStored(roomId, data.redacted_by, rows);
  if (redaction !== undefined && rowHeaderOf(redaction.row).isWaiting === true)
    rows.put(redaction.collection, redaction.key, waitingRowOf(redaction.row, false));
  const target = await findStored(roomId, data.event_id, rows);
  if (target !== undefined)
    rows.put(target.collection, target.key, redactedRowOf(target.row, data.redacted_by, data.pdu));
  else if (typeof data.pdu['state_key'] === 'string')
    REDACTED_UNSEEN.put(rows, [roomId, eventKeyPart(data.event_id)], data.redacted_by);
}

interface StoredRow {
  readonly collection: 'history' | 'timeline';
  readonly key: readonly string[];
  readonly row: string;
}

/** An event of a room as it is stored; undefined where it is not. */
async function findStored(roomId: RoomId, eventId: string | undefined, rows: OwnRows): Promise<StoredRow | undefined> {
  const text = eventId === undefined ? undefined : await rows.get('events', [eventKeyPart(eventId as EventId), roomId]);
  if (text === undefined) return undefined;
  const place = parseEventPlace(text);
  const [collection, key] = [collectionOf(place), rowKeyOf(roomId, place)];
  const row = await rows.get(collection, key);
  return row === undefined ? undefined : { collection, key, row };
}
