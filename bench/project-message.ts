import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, UserId } from '#kernel/ids';
import { parseShortPosition, START } from '#kernel/position';
import type { OwnRows } from '#projections/projector';
import { roomStream } from '#rooms/facts/room-facts';
import { factWithPdu } from '#rooms/facts/fact-text';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { roomProjectors } from '#rooms/projections/room-projectors';
import { parseRow } from '#rooms/projections/timeline-row';
import { measure, sampleEvent } from './measure.js';

const ROOM = '!r:a.example' as RoomId;

/** What a message costs all projectors of rooms together. Answers lines of text, microseconds each. */
export function benchProjectMessage(): string[] {
  const event = { ...sampleEvent(), type: 'm.room.message', sender: '@alice:a.example' as UserId };
  const header = JSON.parse(
    '{"event_id":"$x","room_version":"11","state":[],"root":"","extremities":["$x"],"visibility":"shared","txn":{"device_id":"PHONE","txn_id":"t1"}}',
  ) as Parameters<typeof factWithPdu>[0];
  const fact: RecordedFact = {
    id: '00000000-0000-5000-8000-000000000000',
    type: 'pdu-accepted',
    data: factWithPdu(header, JSON.stringify(event)),
    metadata: { at: 1, actor: '@alice:a.example', schema: 1, chain: '' },
    stream: roomStream(ROOM),
    revision: 1,
    position: parseShortPosition('1') ?? START,
  };
  const rows: OwnRows = { get: async () => undefined, scan: async () => [], put() {}, delete() {} };
  const projectors = roomProjectors();
  const { row } = createRoomFactReader().accepted(fact);
  return [
    measure('JSON.parse of the fact', () => JSON.parse(fact.data) as unknown),
    measure('the fact, parsed, and its row', () => createRoomFactReader().accepted({ ...fact })),
    measure('its row, parsed', () => parseRow(row)),
    measure('all projectors of rooms', () => {
      const each = { ...fact };
      for (const projector of projectors) if (projector.handles(each.type)) void projector.project(each, rows);
    }),
  ];
}
