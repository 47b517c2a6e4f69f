import type { Projector } from '#projections/projector';
import type { RoomFactReader } from '#rooms/projections/room-fact-reader';
import { deviceUpdatesProjector } from './device-updates.projector.js';
import { destinationsProjector } from './destinations.projector.js';
import { remoteServersProjector } from './remote-servers.projector.js';
import { serverKeysProjector } from './server-keys.projector.js';

/** All projectors of the federation. `reader`: that of the room's projectors. */
export function federationProjectors(reader: RoomFactReader): readonly Projector[] {
  return [remoteServersProjector(reader), serverKeysProjector, destinationsProjector, deviceUpdatesProjector];
}
