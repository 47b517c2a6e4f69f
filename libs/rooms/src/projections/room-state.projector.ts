import type { RecordedFact } from '#event-store/event-store';
import type { EventId } from '#kernel/ids';
import type { OwnRows, Projector } from '#projections/projector';
import { currentStateOf, deletedStateOf, type RedactedFact, type RoomFactReader } from './room-fact-reader.js';
import type { PduAccepted, StateChange } from '../facts/room-facts.js';
import { redactedRowOf, rowHeaderOf, timelineRowOf } from './timeline-row.js';

/** An element of a row of `state-deletions`: `by` is the event that did it; null where none did, for resolution left the key to nothing. */
export type DeletedKey = readonly [type: string, stateKey: string, by: EventId | null];

/**
 * `room-state`: the current state of each room, as event rows whose `position` is the one at which they became current;
 * `state-deletions`: which keys a fact left to nothing. What the state was before is the graph's to tell.
 */
export function roomStateProjector(reader: RoomFactReader): Projector {
  return {
    name: 'room-state',
    version: 6,
    collections: ['room-state', 'state-deletions'],
    handles: (type) => type === 'pdu-accepted' || type === 'state-taken' || type === 'pdu-redacted',
    project(fact, rows) {
      if (fact.type === 'pdu-redacted') return applyRedaction(reader.redacted(fact), rows);
      applyState(reader, fact, rows);
      return undefined;
    },
  };
}

function applyState(reader: RoomFactReader, fact: RecordedFact, rows: OwnRows): void {
  const accepted = reader.findStateChange(fact);
  if (accepted === undefined) return;
  const { roomId, data, lenient } = accepted;
  for (const { change, pdu } of currentStateOf(accepted)) {
    const own = change.event_id === data.event_id;
    // Of an earlier event that became current again neither transaction nor predecessor is told, and the visibility is of now.
    const row = own
      ? accepted.row
      : timelineRowOf({
          event_id: change.event_id,
          position: fact.position,
          visibility: data.visibility,
          pdu,
          lenient,
        });
    rows.put('room-state', [roomId, change.type, change.state_key], row);
  }
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
  const key = [roomId, data.pdu['type'] as string, stateKey];
  const row = await rows.get('room-state', key);
  if (row === undefined || rowHeaderOf(row).eventId !== data.event_id) return;
  rows.put('room-state', key, redactedRowOf(row, data.redacted_by, data.pdu));
}
