import type { EventId, RoomId, ServerName } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { asJson, Collection, owning } from '#projections/collection';
import type { Projector } from '#projections/projector';
import type { JoinCompleted } from '../facts/join-facts.js';
import { roomIdOfStream } from '../facts/room-facts.js';
import { purgeByRoom } from './purged-rows.js';

/** A room that came here with a part of its state. */
export interface PartialRoomRow {
  /** The join event. */
  readonly event_id: EventId;
  readonly via: ServerName;
  /** The other servers in it, as was told with that. */
  readonly servers: readonly ServerName[];
  readonly since: Position;
  /** All of it is here since then. */
  readonly until?: Position;
}

export const PARTIAL_ROOMS = new Collection<readonly [roomId: RoomId], PartialRoomRow>('partial-rooms', {
  key: ['room'],
  says: 'since when, and up to when, only a part of the state of a room was here that somebody joined',
  codec: asJson(),
});

/** Which rooms are partial, and were. */
export const partialRoomsProjector: Projector = {
  name: 'partial-rooms',
  version: 2,
  ...owning(PARTIAL_ROOMS),
  handles: (type) => type === 'join-completed' || type === 'join-filled' || type === 'room-purged',
  async project(fact, rows) {
    const { type, data, stream, position } = fact;
    if (type === 'room-purged') return purgeByRoom(fact, rows, [PARTIAL_ROOMS]);
    const roomId = roomIdOfStream(stream);
    const known = await PARTIAL_ROOMS.get(rows, [roomId]);
    if (type === 'join-filled') {
      if (known !== undefined) PARTIAL_ROOMS.put(rows, [roomId], { ...known, until: position });
      return;
    }
    const { event_id, partial } = JSON.parse(data) as JoinCompleted;
    // Applied again, and filled since.
    if (partial === undefined || (known !== undefined && known.since >= position)) return;
    PARTIAL_ROOMS.put(rows, [roomId], { event_id, ...partial, since: position });
  },
};
