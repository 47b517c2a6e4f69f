import type { DeviceId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { AccountFact } from '../facts/account-facts.js';
import type { DeviceAdded, DeviceDehydrated, DevicesRemovedReason, TokensRefreshed } from '../facts/session-facts.js';
import type { Account } from './account.js';
import { checkActive, checkNotLocked } from './decide-account.js';
import { validPairs } from './device-tokens.js';

const MAX_DISPLAY_NAME_BYTES = 1024;
const MAX_DEVICE_DATA_BYTES = 65_536;

function checkDisplayName(name: string | undefined): void {
  if (name !== undefined && Buffer.byteLength(name) > MAX_DISPLAY_NAME_BYTES) {
    throw new MatrixError('M_INVALID_PARAM', 'The display name of the device is too long');
  }
}

/** A login: the device is new or takes over. Throws M_USER_LOCKED, and as `decideDevice`. */
export function decideLogin(account: Account, login: DeviceAdded): AccountFact[] {
  const facts = decideDevice(account, login);
  checkNotLocked(account);
  return facts;
}

/** A device, by which nobody is let in yet: an account that is locked may have it, too. Throws as `checkActive`, and M_INVALID_PARAM for an overlong display name. */
export function decideDevice(account: Account, device: DeviceAdded): AccountFact[] {
  checkActive(account);
  checkDisplayName(device.display_name);
  return [{ type: 'device-added', data: device }];
}

/** What a client says of a device that none is to hold. `token_hash`: of a token that nobody was told, for it has no session. */
export interface Dehydration
  extends Omit<DeviceDehydrated, 'overtakes'>, Pick<DeviceAdded, 'token_hash' | 'display_name'> {}

/**
 * A device that no client holds, in the place of the one before. Throws as `decideLogin`, and M_INVALID_PARAM where another device has
 * its id, M_TOO_LARGE.
 */
export function decideDehydration(account: Account, dehydration: Dehydration): AccountFact[] {
  const { device_id: id, device_data: data, ...added } = dehydration;
  const { deviceId: before, at: overtakes } = account.dehydrated ?? {};
  if (before !== id && account.devices.has(id)) {
    throw new MatrixError('M_INVALID_PARAM', 'device_id: another device has this ID');
  }
  if (Buffer.byteLength(JSON.stringify(data)) > MAX_DEVICE_DATA_BYTES) {
    throw new MatrixError('M_TOO_LARGE', `device_data may have ${MAX_DEVICE_DATA_BYTES} bytes at most`);
  }
  const login = before === id ? [] : decideLogin(account, { device_id: id, ...added });
  const removal = before === undefined || before === id ? [] : decideDeviceRemoval(account, [before], 'deleted');
  const place = overtakes === undefined ? {} : { overtakes };
  return [...removal, ...login, { type: 'device-dehydrated', data: { device_id: id, ...place, device_data: data } }];
}

/** A new name. Throws M_NOT_FOUND for a device that is not there. */
export function decideDeviceRename(account: Account, deviceId: DeviceId, displayName: string): AccountFact[] {
  checkDisplayName(displayName);
  const device = account.devices.get(deviceId);
  if (device === undefined) throw new MatrixError('M_NOT_FOUND', 'No such device');
  return device.display_name === displayName
    ? []
    : [{ type: 'device-renamed', data: { device_id: deviceId, display_name: displayName } }];
}

/** The end of some devices. Those that are gone already are no error. */
export function decideDeviceRemoval(
  account: Account,
  deviceIds: readonly DeviceId[],
  reason: DevicesRemovedReason,
): AccountFact[] {
  const known = [...new Set(deviceIds)].filter((id) => account.devices.has(id));
  return known.length === 0 ? [] : [{ type: 'devices-removed', data: { device_ids: known, reason } }];
}

/**
 * The exchange of a refresh token, that of the current pair or of the one before it while the new one is unused. Throws
 * M_UNKNOWN_TOKEN for any other, M_USER_LOCKED where nobody may use the account. An application of OAuth has new tokens then too, which are good for as little:
 * it takes any refusal for the end of its session ("Refresh token grant"), and locks end none.
 */
export function decideRefresh(account: Account, refresh: Omit<TokensRefreshed, 'device_id'>): AccountFact[] {
  for (const [deviceId, device] of account.devices) {
    if (validPairs(device).some((pair) => pair.refresh_hash === refresh.used)) {
      if (device.oauth === undefined) checkNotLocked(account);
      return [{ type: 'tokens-refreshed', data: { device_id: deviceId, ...refresh } }];
    }
  }
  throw new MatrixError('M_UNKNOWN_TOKEN', 'Unrecognised refresh token');
}

/** The first use of what a refresh gave out. Nothing where that is known already. */
export function decideConfirmation(account: Account, deviceId: DeviceId, tokenHash: string): AccountFact[] {
  const device = account.devices.get(deviceId);
  if (device?.previous === undefined || device.current.token_hash !== tokenHash) return [];
  return [{ type: 'tokens-confirmed', data: { device_id: deviceId, token_hash: tokenHash } }];
}
