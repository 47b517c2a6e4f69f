import type { Projector } from '#projections/projector';
import type { RoomFactReader } from '#rooms/projections/room-fact-reader';
import { crossSigningProjector } from './cross-signing.projector.js';
import { deviceKeysProjector } from './device-keys.projector.js';
import { deviceListsProjector } from './device-lists.projector.js';
import { remoteDevicesProjector } from './remote-devices.projector.js';
import { inboxProjector } from './inbox.projector.js';
import { keyBackupProjector } from './key-backup.projector.js';

/** All projectors of devices, for the runtime and the command line. `reader`: that of the room's projectors. */
export function deviceProjectors(reader: RoomFactReader): readonly Projector[] {
  return [
    deviceKeysProjector,
    crossSigningProjector,
    deviceListsProjector(reader),
    inboxProjector,
    remoteDevicesProjector,
    keyBackupProjector,
  ];
}
