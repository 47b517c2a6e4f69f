import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { UPSTREAM_SESSION_OWNERS } from '../projections/upstream-sessions.projector.js';

/** Who has shown who they are in a session at a provider of accounts, as far as the views are; undefined where nobody has. */
export function findUpstreamUser(
  views: Pick<Views, 'get'>,
  provider: string,
  sidHash: string,
): Promise<UserId | undefined> {
  return UPSTREAM_SESSION_OWNERS.get(views, [provider, sidHash]);
}
