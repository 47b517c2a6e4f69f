import type { Projector } from '#projections/projector';
import { accountDataProjector } from './account-data.projector.js';
import { accountsProjector } from './accounts.projector.js';
import { devicesProjector } from './devices.projector.js';
import { externalIdsProjector } from './external-ids.projector.js';
import { filtersProjector } from './filters.projector.js';
import { profilesProjector } from './profiles.projector.js';
import { registrationTokensProjector } from './registration-tokens.projector.js';
import { upstreamSessionsProjector } from './upstream-sessions.projector.js';
import { threepidsProjector } from './threepids.projector.js';

/** All projectors of accounts, for the runtime and the command line. */
export const accountProjectors: readonly Projector[] = Object.freeze([
  accountsProjector,
  devicesProjector,
  profilesProjector,
  accountDataProjector,
  filtersProjector,
  externalIdsProjector,
  upstreamSessionsProjector,
  registrationTokensProjector,
  threepidsProjector,
]);
