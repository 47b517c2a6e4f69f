import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { EXTERNAL_IDS, type ExternalIdRow } from '../projections/external-ids.projector.js';

/** More accounts elsewhere than anybody has. */
const MOST = 1_000;

/** The accounts elsewhere that a user has. Whose one of them is: `ExternalIds.find`, by the log. */
export async function listExternalIds(views: Pick<Views, 'scan'>, userId: UserId): Promise<ExternalIdRow[]> {
  const rows = await EXTERNAL_IDS.scan(views, { prefix: [userId], limit: MOST });
  return rows.map(({ value }) => value);
}
