import { type Answer, whenThere } from '#kernel/answer';
import type { RoomId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import { Collection, owning, type RowCodec } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { RoomFactReader } from './room-fact-reader.js';
import { purgeByRoom } from './purged-rows.js';

/** When something last happened in a room. */
export interface RoomActivity {
  /** The last event that was news. */
  readonly last: Position;
  /** The last one that brings the room to people's attention: MSC4186, `bump_stamp`. */
  readonly bump: Position;
}

/** The two positions, each of the same length. */
const activityText: RowCodec<RoomActivity> = {
  encode: ({ last, bump }) => last + bump,
  decode: (text) => ({
    last: text.slice(0, START.length) as Position,
    bump: text.slice(START.length) as Position,
  }),
};

export const ROOM_ACTIVITY = new Collection<readonly [roomId: RoomId], RoomActivity>('room-activity', {
  key: ['room'],
  says: 'the positions of the last event that was news, and of the last that counts as proper activity',
  codec: activityText,
});

/** "Proper activity is defined as an event being received [that] is one of the following types": MSC4186, `bump_stamp`. */
const BUMPS: ReadonlySet<unknown> = new Set([
  'm.room.create',
  'm.room.message',
  'm.room.encrypted',
  'm.sticker',
  'm.call.invite',
  'm.poll.start',
  'org.matrix.msc3381.poll.start',
  'm.beacon_info',
  'org.matrix.msc3672.beacon_info',
]);

/** One row about each room: lists of many rooms are put in order by these alone. */
export function roomActivityProjector(reader: RoomFactReader): Projector {
  return {
    name: 'room-activity',
    version: 2,
    ...owning(ROOM_ACTIVITY),
    handles: (type) => type === 'pdu-accepted' || type === 'state-taken' || type === 'room-purged',
    project(fact, rows) {
      if (fact.type === 'room-purged') return purgeByRoom(fact, rows, [ROOM_ACTIVITY]);
      const { roomId, data } = reader.accepted(fact);
      if (data.history === true) return undefined;
      return note(roomId, fact.position, BUMPS.has(data.pdu['type']), rows);
    },
  };
}

function note(roomId: RoomId, position: Position, bumps: boolean, rows: OwnRows): Answer<void> {
  return whenThere(ROOM_ACTIVITY.get(rows, [roomId]), (known) => {
    // Applied again, and newer ones since.
    if (known !== undefined && known.last >= position) return;
    const bump = bumps || known === undefined ? position : known.bump;
    ROOM_ACTIVITY.put(rows, [roomId], { last: position, bump });
  });
}
