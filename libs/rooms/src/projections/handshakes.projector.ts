import type { RecordedFact } from '#event-store/event-store';
import { type Answer, whenThere } from '#kernel/answer';
import type { EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { asJson, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { type HandshakeBegun, type HandshakeMembership, userIdOfElsewhere } from '../facts/elsewhere-facts.js';
import type { RoomFactReader } from './room-fact-reader.js';
import { purgeOf } from './purged-rows.js';

/** An event that another server was given, and may have taken, and that the log does not have as taken. */
export interface HandshakeRow {
  readonly membership: HandshakeMembership;
  readonly room_version: string;
  readonly server: ServerName;
  readonly pdu: JsonObject;
}

/** The user is who sent the event. */
export const HANDSHAKES = new Collection<readonly [userId: UserId, roomId: RoomId, eventId: EventId], HandshakeRow>(
  'handshakes',
  {
    key: ['user', 'room', 'event'],
    says: 'a member event that another server was given and may have taken',
    codec: asJson(),
  },
);

/** Of the joins among them, by room: events may be sent to it before its state is here, to whichever process. */
export const JOINS_ELSEWHERE = new Collection<readonly [roomId: RoomId, userId: UserId, eventId: EventId], string>(
  'joins-elsewhere',
  {
    key: ['room', 'user', 'event'],
    says: 'the version of a room whose server was given a join and may have taken it',
    codec: asText(),
  },
);

const OWN_TYPES: ReadonlySet<string> = new Set([
  'handshake-begun',
  'handshake-ended',
  'membership-told',
  'stays-ended',
]);

/** Which handshakes with other servers are open: those of which the log has not the event itself. */
export function handshakesProjector(reader: RoomFactReader): Projector {
  return {
    name: 'handshakes',
    version: 3,
    ...owning(HANDSHAKES, JOINS_ELSEWHERE),
    handles: (type) => type === 'pdu-accepted' || type === 'room-purged' || OWN_TYPES.has(type),
    project(fact, rows) {
      if (fact.type === 'room-purged') return purge(fact, rows);
      if (fact.type === 'pdu-accepted') return noteAccepted(reader, fact, rows);
      const userId = userIdOfElsewhere(fact.stream);
      if (fact.type === 'stays-ended')
        return HANDSHAKES.forEach(rows, { prefix: [userId] }, ({ key }) => remove(rows, ...key));
      const { room_id: roomId, event_id: eventId, ...begun } = JSON.parse(fact.data) as HandshakeBegun;
      if (fact.type !== 'handshake-begun') return remove(rows, userId, roomId, eventId);
      const { membership, room_version, server, pdu } = begun;
      HANDSHAKES.put(rows, [userId, roomId, eventId], { membership, room_version, server, pdu });
      if (membership === 'join') JOINS_ELSEWHERE.put(rows, [roomId, userId, eventId], room_version);
    },
  };
}

/** Those that the room's facts had ended, which are there no more, are not open because of that. */
async function purge(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { roomId, users } = purgeOf(fact);
  for (const userId of users)
    await HANDSHAKES.forEach(rows, { prefix: [userId, roomId] }, ({ key }) => remove(rows, ...key));
}

function noteAccepted(reader: RoomFactReader, fact: RecordedFact, rows: OwnRows): Answer<void> {
  const accepted = reader.findStateChange(fact);
  if (accepted?.data.pdu['type'] !== 'm.room.member') return;
  const { roomId, data } = accepted;
  const key = [data.pdu['sender'] as UserId, roomId, data.event_id] as const;
  return whenThere(HANDSHAKES.get(rows, key), (open) => {
    if (open !== undefined) remove(rows, ...key);
  });
}

function remove(rows: OwnRows, userId: UserId, roomId: RoomId, eventId: EventId): void {
  HANDSHAKES.delete(rows, [userId, roomId, eventId]);
  JOINS_ELSEWHERE.delete(rows, [roomId, userId, eventId]);
}
