import type { FactShapes } from '#event-store/fact-shapes';
import { foldRoomAlias, type RoomAlias, type RoomId, type UserId } from '#kernel/ids';

/** The stream of an alias, in whatever case it is spelled. Uniqueness is the stream's own: who appends first has it. */
export const aliasStream = (alias: RoomAlias): string => `alias-${foldRoomAlias(alias)}`;

/** `alias-created`: an alias of this server points to a room from now on. */
export interface AliasCreated {
  readonly alias: RoomAlias;
  readonly room_id: RoomId;
  readonly creator: UserId;
}

/** `alias-deleted`: it points to that room no more. */
export interface AliasDeleted {
  readonly alias: RoomAlias;
  readonly room_id: RoomId;
  readonly by: UserId;
}

/** How old shapes of these facts become today's. */
export const ALIAS_SHAPES = {
  'alias-created': [],
  'alias-deleted': [],
} as const satisfies FactShapes;
