import { isRoomId, type RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';

/** A room's place in the directory, which has the largest rooms first. */
export interface PublicRoomPlace {
  readonly num_joined_members: number;
  readonly room_id: RoomId;
}

/** Where a page begins: beside a place in the order, whatever has happened to the room that was there, and in which direction. */
export interface PublicRoomsToken {
  readonly direction: 'next' | 'prev';
  readonly side: 'before' | 'after';
  readonly place: PublicRoomPlace;
}

const DIRECTIONS = { n: 'next', p: 'prev' } as const;
const SIDES = { b: 'before', a: 'after' } as const;
const TOKEN = /^([np])([ab])(\d{1,15})_([\w-]+)$/;

/** The order of the directory. */
export function comparePublicRooms(a: PublicRoomPlace, b: PublicRoomPlace): number {
  if (a.num_joined_members !== b.num_joined_members) return b.num_joined_members - a.num_joined_members;
  return a.room_id < b.room_id ? -1 : Number(a.room_id > b.room_id);
}

/** How many of the rooms, in their order, stand before the place of a token. */
export function countBefore(rooms: readonly PublicRoomPlace[], { side, place }: PublicRoomsToken): number {
  const least = side === 'before' ? 0 : 1;
  const found = rooms.findIndex((room) => comparePublicRooms(room, place) >= least);
  return found < 0 ? rooms.length : found;
}

/** Writes a token for clients. */
export function formatPublicRoomsToken({ direction, side, place }: PublicRoomsToken): string {
  return `${direction[0]}${side[0]}${place.num_joined_members}_${Buffer.from(place.room_id).toString('base64url')}`;
}

/** Reads a token of a client. Throws M_INVALID_PARAM. */
export function parsePublicRoomsToken(text: string): PublicRoomsToken {
  const [, direction, side, members, id = ''] = TOKEN.exec(text) ?? [];
  const roomId = Buffer.from(id, 'base64url').toString();
  if (!isRoomId(roomId)) throw new MatrixError('M_INVALID_PARAM', 'since: not a token of this list');
  return {
    direction: DIRECTIONS[direction as 'n' | 'p'], // the expression lets nothing else through
    side: SIDES[side as 'a' | 'b'],
    place: { num_joined_members: Number(members), room_id: roomId },
  };
}
