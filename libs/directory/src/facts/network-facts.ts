import type { FactShapes } from '#event-store/fact-shapes';
import type { RoomId, UserId } from '#kernel/ids';

/** The directory of a network that is bridged to this server, by what it is called here (its `instance_id`). */
export const NETWORK_PREFIX = 'network-';
export const networkStream = (instanceId: string): string => `${NETWORK_PREFIX}${instanceId}`;

/** Which network a stream is of. */
export const networkOfStream = (stream: string): string => stream.slice(NETWORK_PREFIX.length);

/** `network-room-listed`: whether the room is in the directory of the network. */
export interface NetworkRoomListed {
  readonly room_id: RoomId;
  readonly listed: boolean;
  readonly by: UserId;
}

/** How old shapes of these facts become today's. */
export const NETWORK_SHAPES = {
  'network-room-listed': [],
} as const satisfies FactShapes;
