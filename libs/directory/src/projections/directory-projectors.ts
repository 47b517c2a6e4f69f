import type { Projector } from '#projections/projector';
import { createRoomFactReader, type RoomFactReader } from '#rooms/projections/room-fact-reader';
import { directoryProjector } from './directory.projector.js';
import { networksProjector } from './networks.projector.js';
import { namesProjector } from './names.projector.js';

/** The projectors of aliases, listed rooms and names. */
export function directoryProjectors(reader: RoomFactReader = createRoomFactReader()): readonly Projector[] {
  return [directoryProjector(), namesProjector(reader), networksProjector()];
}
