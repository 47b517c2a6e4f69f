import type { Projector } from '#projections/projector';
import { crossSigningProjector } from './cross-signing.projector.js';
import { deviceKeysProjector } from './device-keys.projector.js';
import { inboxProjector } from './inbox.projector.js';

/** All projectors of devices, for the runtime and the command line. */
export const deviceProjectors: readonly Projector[] = Object.freeze([
  deviceKeysProjector,
  crossSigningProjector,
  inboxProjector,
]);
