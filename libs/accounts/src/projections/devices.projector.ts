import type { OwnRows, Projector } from '#projections/projector';
import type { RecordedFact } from '#event-store/event-store';
import type { DeviceId, UserId } from '#kernel/ids';
import {
  type DeviceRecord,
  deviceAfterConfirmation,
  deviceAfterLogin,
  deviceAfterRefresh,
  validPairs,
} from '../decide/device-tokens.js';
import { userIdOfStream } from '#kernel/user-stream';
import type { AccountFact } from '../facts/account-facts.js';

/**
 * `tokens` [sha256 hex of the access token]. `pending`: it came of a refresh and has not been used yet, as far as the log
 * knows.
 */
export interface TokenRow {
  readonly user: UserId;
  readonly device: DeviceId;
  readonly expires_at?: number;
  readonly pending?: true;
}

/** `refresh-tokens` [sha256 hex of the refresh token]. */
export interface RefreshTokenRow {
  readonly user: UserId;
  readonly device: DeviceId;
}

const TYPES: ReadonlySet<string> = new Set<AccountFact['type']>([
  'device-added',
  'device-renamed',
  'devices-removed',
  'tokens-refreshed',
  'tokens-confirmed',
]);

/** `devices` [user, device] (a DeviceRecord), and the tokens that open them. */
export const devicesProjector: Projector = {
  name: 'devices',
  version: 1,
  collections: ['devices', 'tokens', 'refresh-tokens'],
  handles: (type) => TYPES.has(type),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const user = userIdOfStream(fact.stream);
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact;
  switch (type) {
    case 'device-added': {
      const before = await deviceOf(rows, user, data.device_id);
      replace(rows, user, data.device_id, before, deviceAfterLogin(before, data, fact.metadata.at));
      return;
    }
    case 'device-renamed':
      return change(rows, user, data.device_id, (device) => ({ ...device, display_name: data.display_name }));
    case 'tokens-refreshed':
      return change(rows, user, data.device_id, (device) => deviceAfterRefresh(device, data));
    case 'tokens-confirmed':
      return change(rows, user, data.device_id, (device) => deviceAfterConfirmation(device, data));
    case 'devices-removed':
      for (const id of data.device_ids) replace(rows, user, id, await deviceOf(rows, user, id), undefined);
      return;
    default:
  }
}

async function deviceOf(rows: OwnRows, user: UserId, device: DeviceId): Promise<DeviceRecord | undefined> {
  const text = await rows.get('devices', [user, device]);
  return text === undefined ? undefined : (JSON.parse(text) as DeviceRecord);
}

async function change(
  rows: OwnRows,
  user: UserId,
  device: DeviceId,
  to: (before: DeviceRecord) => DeviceRecord,
): Promise<void> {
  const before = await deviceOf(rows, user, device);
  if (before !== undefined) replace(rows, user, device, before, to(before));
}

/** Writes the device and the rows of its tokens in place of what was there. */
function replace(
  rows: OwnRows,
  user: UserId,
  device: DeviceId,
  before: DeviceRecord | undefined,
  after: DeviceRecord | undefined,
): void {
  for (const pair of before === undefined ? [] : validPairs(before)) {
    rows.delete('tokens', [pair.token_hash]);
    if (pair.refresh_hash !== undefined) rows.delete('refresh-tokens', [pair.refresh_hash]);
  }
  if (after === undefined) return rows.delete('devices', [user, device]);
  // One order of keys, whatever happened before: rebuilt rows are compared as text.
  const { display_name, created_ts, current, previous } = after;
  rows.put('devices', [user, device], JSON.stringify({ display_name, created_ts, current, previous }));
  for (const pair of validPairs(after)) {
    const token: TokenRow = {
      user,
      device,
      ...(pair.expires_at === undefined ? {} : { expires_at: pair.expires_at }),
      ...(after.previous !== undefined && pair === after.current ? { pending: true } : {}),
    };
    rows.put('tokens', [pair.token_hash], JSON.stringify(token));
    const refresh: RefreshTokenRow = { user, device };
    if (pair.refresh_hash !== undefined) rows.put('refresh-tokens', [pair.refresh_hash], JSON.stringify(refresh));
  }
}
