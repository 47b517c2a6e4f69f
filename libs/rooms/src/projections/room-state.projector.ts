import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { eventKeyPart } from './event-place.js';
import {
  type AcceptedFact,
  currentStateOf,
  deletedStateOf,
  type RedactedFact,
  type RoomFactReader,
} from './room-fact-reader.js';
import type { PduAccepted, StateChange } from '../facts/room-facts.js';
import { redactedRowOf, rowHeaderOf, timelineRowOf } from './timeline-row.js';

/** An element of a row of `state-deletions`: `by` is the event that did it; null where none did, for resolution left the key to nothing. */
export type DeletedKey = readonly [type: string, stateKey: string, by: EventId | null];

/** What redacted state events, also those that hold their keys no more: where ends of the room meet, they may again. */
export const REDACTED_STATE = new Collection<readonly [roomId: RoomId, eventKeyPart: string], EventId>(
  'redacted-state',
  {
    key: ['room', 'hash of the event'],
    says: 'the redaction that took effect on a state event',
    codec: asText(),
  },
);

/**
 * `room-state`: the current state of each room, as event rows whose `position` is the one at which they became current;
 * `state-deletions`: which keys a fact left to nothing; `redacted-state`: see there. What the state was before is the graph's to tell.
 */
export function roomStateProjector(reader: RoomFactReader): Projector {
  return {
    name: 'room-state',
    version: 8,
    ...owning(REDACTED_STATE),
    collections: ['room-state', 'state-deletions', REDACTED_STATE.name],
    handles: (type) => type === 'pdu-accepted' || type === 'state-taken' || type === 'pdu-redacted',
    project(fact, rows) {
      if (fact.type === 'pdu-redacted') return applyRedaction(reader.redacted(fact), rows);
      return applyState(reader, fact, rows);
    },
  };
}

function applyState(reader: RoomFactReader, fact: RecordedFact, rows: OwnRows): Promise<void> | undefined {
  const accepted = reader.findStateChange(fact);
  if (accepted === undefined) return undefined;
  const { roomId, data, lenient } = accepted;
  const again: Promise<void>[] = [];
  for (const { change, pdu } of currentStateOf(accepted)) {
    const key = [roomId, change.type, change.state_key];
    if (change.event_id === data.event_id) {
      rows.put('room-state', key, accepted.row);
      continue;
    }
    const { event_id } = change;
    // Of an earlier event that became current again neither transaction nor predecessor is told, and the visibility is of now.
    const place = { position: fact.position, visibility: data.visibility, isAgain: true };
    const row = timelineRowOf({ event_id, ...place, pdu, lenient });
    again.push(putAgain(rows, key, row, { roomId, eventId: event_id, pdu }));
  }
  noteDeleted(accepted, fact, rows);
  return again.length === 0 ? undefined : Promise.all(again).then(() => undefined);
}

/** Writes the row of an event that became current again, which may have been redacted before. */
async function putAgain(
  rows: OwnRows,
  key: readonly string[],
  row: string,
  { roomId, eventId, pdu }: { readonly roomId: RoomId; readonly eventId: EventId; readonly pdu: JsonObject },
): Promise<void> {
  const redactedBy = await REDACTED_STATE.get(rows, [roomId, eventKeyPart(eventId)]);
  rows.put('room-state', key, redactedBy === undefined ? row : redactedRowOf(row, redactedBy, pdu));
}

function noteDeleted(accepted: AcceptedFact, fact: RecordedFact, rows: OwnRows): void {
  const { roomId, data } = accepted;
  const deleted = deletedStateOf(accepted);
  if (deleted.length === 0) return;
  for (const { type, state_key } of deleted) rows.delete('room-state', [roomId, type, state_key]);
  const keys = deleted.map((change): DeletedKey => [change.type, change.state_key, deletedBy(change, data)]);
  rows.put('state-deletions', [roomId, fact.position], JSON.stringify(keys));
}

function deletedBy(change: StateChange, { event_id: eventId, pdu }: PduAccepted): EventId | null {
  return pdu['type'] === change.type && pdu['state_key'] === change.state_key ? eventId : null;
}

async function applyRedaction({ roomId, data }: RedactedFact, rows: OwnRows): Promise<void> {
  const stateKey = data.pdu['state_key'];
  if (typeof stateKey !== 'string') return;
  REDACTED_STATE.put(rows, [roomId, eventKeyPart(data.event_id)], data.redacted_by);
  const key = [roomId, data.pdu['type'] as string, stateKey];
  const row = await rows.get('room-state', key);
  if (row === undefined || rowHeaderOf(row).eventId !== data.event_id) return;
  rows.put('room-state', key, redactedRowOf(row, data.redacted_by, data.pdu));
}
