import type { Projector } from '#projections/projector';
import { mediaProjector } from './media.projector.js';
import { quarantineProjector } from './quarantine.projector.js';

/** The projectors of media and of what was decided of their content. */
export const mediaProjectors: readonly Projector[] = [mediaProjector, quarantineProjector];
