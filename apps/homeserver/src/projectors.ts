import { accountProjectors } from '#accounts/projections/account-projectors';
import type { Projector } from '#projections/projector';
import { pushRulesProjector } from '#push/projections/push-rules.projector';

/** Every projector of the house: what the server runs, and what the command line can rebuild, replay and verify. */
export function listProjectors(): readonly Projector[] {
  return [...accountProjectors, pushRulesProjector];
}
