import type { RecordedFact } from '#event-store/event-store';
import type { EventId } from '#kernel/ids';
import type { OwnRows, Projector } from '#projections/projector';
import { currentStateOf, deletedStateOf, type RedactedFact, type RoomFactReader } from './room-fact-reader.js';
import { currentChangeOf, type PduAccepted, type StateChange } from '../facts/room-facts.js';
import { redactedRowOf, rowHeaderOf, timelineRowOf } from './timeline-row.js';

/** An element of a row of `state-log`. */
export interface LoggedChange extends StateChange {
  /** The event that deleted the key; left out also where no event did, for resolution found none that may hold it. */
  readonly deleted_by?: EventId;
}

/**
 * `room-state`: the current state of each room, as event rows whose `position` is the one at which they became current;
 * `state-log`: what each fact changed in it; `state-deletions`: where a key was last left to nothing.
 */
export function roomStateProjector(reader: RoomFactReader): Projector {
  return {
    name: 'room-state',
    version: 4,
    collections: ['room-state', 'state-log', 'state-deletions'],
    handles: (type) => type === 'pdu-accepted' || type === 'pdu-redacted',
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
  for (const { type, state_key } of deleted) rows.delete('room-state', [roomId, type, state_key]);
  if (deleted.length > 0) rows.put('state-deletions', [roomId], fact.position);
  const changes = (currentChangeOf(data)?.state ?? []).map((change) => loggedChange(change, data));
  if (changes.length > 0) rows.put('state-log', [roomId, fact.position], JSON.stringify(changes));
}

function loggedChange(change: StateChange, { event_id: eventId, pdu }: PduAccepted): LoggedChange {
  const isOwn = pdu['type'] === change.type && pdu['state_key'] === change.state_key;
  return change.event_id === null && isOwn ? { ...change, deleted_by: eventId } : change;
}

async function applyRedaction({ roomId, data }: RedactedFact, rows: OwnRows): Promise<void> {
  const stateKey = data.pdu['state_key'];
  if (typeof stateKey !== 'string') return;
  const key = [roomId, data.pdu['type'] as string, stateKey];
  const row = await rows.get('room-state', key);
  if (row === undefined || rowHeaderOf(row).eventId !== data.event_id) return;
  rows.put('room-state', key, redactedRowOf(row, data.redacted_by, data.pdu));
}
