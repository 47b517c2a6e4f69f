import type { DeviceId, ServerName, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { readLocalKeys } from './local-keys.js';
import type { KeyReader, UserKeys } from './user-keys.js';

const NOBODY = Object.freeze({ has: () => Promise.resolve(false) });

/**
 * The keys of a user of this server as other servers are told them: what everybody is shown. Of the devices named, or of all where none is.
 * NOTSPEC: a device has no name for them. It may say more of its owner than they want to be known elsewhere.
 */
export function readKeysForServer(
  views: Views,
  server: ServerName,
  userId: UserId,
  deviceIds: readonly DeviceId[] = [],
): Promise<UserKeys> {
  const reader: KeyReader = { reader: server, ofReader: {}, mates: NOBODY };
  return readLocalKeys(views, userId, deviceIds, reader);
}
