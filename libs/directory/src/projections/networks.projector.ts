import type { RoomId } from '#kernel/ids';
import { asMark, Collection, owning } from '#projections/collection';
import type { Projector } from '#projections/projector';
import { type NetworkRoomListed, networkOfStream } from '../facts/network-facts.js';

export const NETWORK_ROOMS = new Collection<readonly [instanceId: string, roomId: RoomId], true>('network-rooms', {
  key: ['network', 'room'],
  says: 'that the room is in the list of a network that is bridged to this server',
  codec: asMark,
});

/** The rooms listed in the directories of networks. */
export function networksProjector(): Projector {
  return {
    name: 'networks',
    version: 1,
    ...owning(NETWORK_ROOMS),
    handles: (type) => type === 'network-room-listed',
    project({ stream, data }, rows) {
      const { room_id: roomId, listed } = JSON.parse(data) as NetworkRoomListed; // only `ListInNetwork` writes it
      const key = [networkOfStream(stream), roomId] as const;
      if (listed) NETWORK_ROOMS.put(rows, key, true);
      else NETWORK_ROOMS.delete(rows, key);
    },
  };
}
