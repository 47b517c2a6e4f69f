import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, ServerName, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { asJson, Collection } from '#projections/collection';
import type { MembershipTold } from '../facts/elsewhere-facts.js';
import { timelineRowOf } from './make-row.js';

/** A membership of a room that is not here, and what the user was told of the room with it. */
export interface ElsewhereRow {
  /** The member event, as a row of a timeline. */
  readonly member: string;
  /** Stripped state events, without the member event. */
  readonly state: readonly string[];
  readonly room_version: string;
  readonly origin?: ServerName;
}

/** What became of users in rooms that are not here: by the position each was told at, as everything that is told by position. */
export const ELSEWHERE = new Collection<readonly [userId: UserId, roomId: RoomId, position: Position], ElsewhereRow>(
  'elsewhere',
  { key: ['user', 'room', 'position'], says: 'the member event, what was told of the room, by whom', codec: asJson() },
);

/** The row of a membership that was told. */
export function elsewhereRowOf({ position }: RecordedFact, told: MembershipTold): ElsewhereRow {
  const { event_id, room_version, pdu, state, origin } = told;
  const source = { event_id, position, visibility: 'invited', room_version, pdu, lenient: false } as const;
  return {
    member: timelineRowOf(source),
    state: state.map((event) => JSON.stringify(event)),
    room_version,
    ...(origin === undefined ? {} : { origin }),
  };
}
