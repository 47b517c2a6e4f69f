import type { RecordedFact } from '#event-store/event-store';
import type { OwnRows, Projector } from '#projections/projector';
import { currentStateOf, deletedStateOf, type RedactedFact, type RoomFactReader } from './room-fact-reader.js';
import { currentChangeOf } from '../facts/room-facts.js';
import { redactedRowOf, rowHeaderOf, timelineRowOf } from './timeline-row.js';

/**
 * `room-state`: the current state of each room, as event rows whose `p` is the position at which they became current;
 * `state-log`: what each fact changed in it.
 */
export function roomStateProjector(reader: RoomFactReader): Projector {
  return {
    name: 'room-state',
    version: 1,
    collections: ['room-state', 'state-log'],
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
    // An earlier event that became current again has no transaction to tell, and takes the visibility of this moment.
    const row = own
      ? accepted.row
      : timelineRowOf({
          event_id: change.event_id,
          roomId,
          position: fact.position,
          visibility: data.visibility,
          state: [change],
          pdu,
          lenient,
        });
    rows.put('room-state', [roomId, change.type, change.state_key], row);
  }
  for (const { type, state_key } of deletedStateOf(accepted)) rows.delete('room-state', [roomId, type, state_key]);
  const changes = currentChangeOf(data)?.state ?? [];
  if (changes.length > 0) rows.put('state-log', [roomId, fact.position], JSON.stringify(changes));
}

async function applyRedaction({ roomId, data }: RedactedFact, rows: OwnRows): Promise<void> {
  const stateKey = data.pdu['state_key'];
  if (typeof stateKey !== 'string') return;
  const key = [roomId, data.pdu['type'] as string, stateKey];
  const row = await rows.get('room-state', key);
  if (row === undefined || rowHeaderOf(row).e !== data.event_id) return;
  rows.put('room-state', key, redactedRowOf(row, data.redacted_by, roomId, data.pdu));
}
