import type { Projector } from '#projections/projector';

/** Every projector of the house: what the server runs, and what the command line can rebuild, replay and verify. */
export function listProjectors(): readonly Projector[] {
  return [];
}
