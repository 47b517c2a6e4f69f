import type { RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { renderStripped } from '#rooms/queries/render-event';

/** What a potential member is told of a room: client-server API, "Stripped state". */
const TOLD = [
  'm.room.create',
  'm.room.name',
  'm.room.avatar',
  'm.room.topic',
  'm.room.join_rules',
  'm.room.canonical_alias',
  'm.room.encryption',
];

/** Stripped state for a user who is invited or knocks, and who invited them. */
export interface StrippedRoom {
  /** The sender of the user's member event. */
  readonly sender: UserId | undefined;
  /** The stripped state events, each a JSON text: the user's member event is the last. */
  readonly events: readonly string[];
}

/** Reads what a user may know of a room before joining it: its state as far as it is told, and the two members concerned. */
export async function readStrippedRoom(views: Views, roomId: RoomId, userId: UserId): Promise<StrippedRoom> {
  const texts = await views.getMany('room-state', [
    ...TOLD.map((type) => [roomId, type, '']),
    [roomId, 'm.room.member', userId],
  ]);
  const rows = texts.map((text) => (text === undefined ? undefined : parseRow(text)));
  const member = rows.pop();
  const sender = member?.header.s;
  const inviterText =
    sender === undefined || sender === userId
      ? undefined
      : await views.get('room-state', [roomId, 'm.room.member', sender]);
  const inviter = inviterText === undefined ? undefined : parseRow(inviterText);
  const told = [...rows, inviter, member].filter((row): row is TimelineRow => row !== undefined);
  return { sender, events: told.map(renderStripped) };
}
