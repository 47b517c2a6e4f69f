import type { Projector } from '#projections/projector';
import type { RoomFactReader } from '#rooms/projections/room-fact-reader';
import { mediaProjector } from './media.projector.js';
import { quarantineProjector } from './quarantine.projector.js';

/** The projectors of media and of what was decided of their content. */
export function mediaProjectors(reader: RoomFactReader): readonly Projector[] {
  return [mediaProjector(reader), quarantineProjector];
}
