import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { asJson, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { type EventKeyPart, eventKeyPart } from './event-place.js';
import {
  type AcceptedFact,
  currentStateOf,
  deletedStateOf,
  isOwnChange,
  type RedactedFact,
  type RoomFactReader,
} from './room-fact-reader.js';
import type { PduRedacted } from '../facts/room-facts.js';
import { redactedRowOf, timelineRowOf } from './make-row.js';
import { rowHeaderOf } from './timeline-row.js';
import { purgeByRoom } from './purged-rows.js';

/** A key of the state that a fact left to nothing: `by` is the event that did it; null where none did, for resolution left the key to nothing. */
export type DeletedKey = readonly [type: string, stateKey: string, by: EventId | null];

type StateRowKey = readonly [roomId: RoomId, type: string, stateKey: string];

/**
 * The current state, whose `position` is the one at which it became current. PERF: rows stay texts (timeline-row.ts), for mostly no
 * more than their headers is looked at.
 */
export const ROOM_STATE = new Collection<StateRowKey, string>('room-state', {
  key: ['room', 'type', 'state key'],
  says: 'the current event as it is served',
  codec: asText(),
});

export const STATE_DELETIONS = new Collection<readonly [roomId: RoomId, position: Position], readonly DeletedKey[]>(
  'state-deletions',
  { key: ['room', 'position'], says: 'the keys that the fact left to nothing', codec: asJson() },
);

/** What redacted state events, also those that hold their keys no more: where extremities of the room meet, they may again. */
export const REDACTED_STATE = new Collection<readonly [roomId: RoomId, event: EventKeyPart], EventId>(
  'redacted-state',
  {
    key: ['room', 'hash of the event'],
    says: 'the redaction that took effect on a state event',
    codec: asText(),
  },
);

const HANDLED: ReadonlySet<string> = new Set(['pdu-accepted', 'state-taken', 'pdu-redacted', 'room-purged']);

/** The current state of each room. What it was before is the graph's to tell. */
export function roomStateProjector(reader: RoomFactReader): Projector {
  return {
    name: 'room-state',
    version: 13,
    ...owning(ROOM_STATE, STATE_DELETIONS, REDACTED_STATE),
    handles: (type) => HANDLED.has(type),
    project(fact, rows) {
      if (fact.type === 'room-purged') return purgeByRoom(fact, rows, [ROOM_STATE, STATE_DELETIONS, REDACTED_STATE]);
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
    const key: StateRowKey = [roomId, change.type, change.state_key];
    if (change.event_id === data.event_id) {
      ROOM_STATE.put(rows, key, accepted.row);
      continue;
    }
    const { event_id } = change;
    const { room_version } = data;
    // Of an earlier event that became current again neither transaction nor predecessor is told, and the visibility is of now.
    const { position, metadata } = fact;
    const place = { position, receivedAt: metadata.at, visibility: data.visibility, isAgain: true };
    const row = timelineRowOf({ event_id, ...place, room_version, pdu, lenient });
    again.push(putAgain(rows, key, row, { event_id, room_version, pdu }));
  }
  noteDeleted(accepted, fact, rows);
  return again.length === 0 ? undefined : Promise.all(again).then(() => undefined);
}

/** Writes the row of an event that became current again, which may have been redacted before. */
async function putAgain(
  rows: OwnRows,
  key: StateRowKey,
  row: string,
  event: Pick<PduRedacted, 'event_id' | 'room_version' | 'pdu'>,
): Promise<void> {
  const redactedBy = await REDACTED_STATE.get(rows, [key[0], eventKeyPart(event.event_id)]);
  ROOM_STATE.put(rows, key, redactedBy === undefined ? row : redactedRowOf(row, redactedBy, event));
}

function noteDeleted(accepted: AcceptedFact, fact: RecordedFact, rows: OwnRows): void {
  const { roomId, data } = accepted;
  const deleted = deletedStateOf(accepted);
  if (deleted.length === 0) return;
  for (const { type, state_key } of deleted) ROOM_STATE.delete(rows, [roomId, type, state_key]);
  const keys = deleted.map((change): DeletedKey => {
    return [change.type, change.state_key, isOwnChange(change, data) ? data.event_id : null];
  });
  STATE_DELETIONS.put(rows, [roomId, fact.position], keys);
}

async function applyRedaction({ roomId, data }: RedactedFact, rows: OwnRows): Promise<void> {
  const stateKey = data.pdu['state_key'];
  if (typeof stateKey !== 'string') return;
  const redacted = [roomId, eventKeyPart(data.event_id)] as const;
  if (!(await REDACTED_STATE.has(rows, redacted))) REDACTED_STATE.put(rows, redacted, data.redacted_by);
  const key: StateRowKey = [roomId, data.pdu['type'] as string, stateKey];
  const row = await ROOM_STATE.get(rows, key);
  if (row === undefined || rowHeaderOf(row).eventId !== data.event_id) return;
  ROOM_STATE.put(rows, key, redactedRowOf(row, data.redacted_by, data));
}
