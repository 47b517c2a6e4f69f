import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { RecordedFact } from '#event-store/event-store';
import type { DeviceId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import {
  type DeviceRecord,
  deviceAfterConfirmation,
  deviceAfterLogin,
  deviceAfterRefresh,
  validPairs,
} from '../decide/device-tokens.js';
import { userIdOfStream } from '#kernel/user-stream';
import type { AccountFact } from '../facts/account-facts.js';

/** Whose an access token is. `pending`: it came of a refresh and has not been used yet, as far as the log knows. */
export interface TokenRow {
  readonly user: UserId;
  readonly device: DeviceId;
  readonly expires_at?: number;
  readonly pending?: true;
}

/** A device that no client holds (MSC3814). */
export interface DehydratedRow {
  readonly device_id: DeviceId;
  readonly device_data: JsonObject;
}

/** Whose a refresh token is. */
export interface RefreshTokenRow {
  readonly user: UserId;
  readonly device: DeviceId;
}

export const DEVICES = new Collection<readonly [userId: UserId, deviceId: DeviceId], DeviceRecord>('devices', {
  key: ['user', 'device'],
  says: 'name, when it was made, the revision of its last login, hashes of its tokens, which application service opened its session for a person, or which application has it by the OAuth 2.0 API',
  codec: {
    // One order of keys, whatever happened before: rebuilt rows are compared as text.
    encode: ({ display_name, created_ts, login, current, previous, service, oauth }) =>
      JSON.stringify({ display_name, created_ts, login, current, previous, service, oauth }),
    decode: asJson<DeviceRecord>().decode,
  },
});

export const TOKENS = new Collection<readonly [hash: string], TokenRow>('tokens', {
  key: ['sha256 of the access token'],
  says: 'user, device, expiry',
  codec: asJson(),
});

export const REFRESH_TOKENS = new Collection<readonly [hash: string], RefreshTokenRow>('refresh-tokens', {
  key: ['sha256 of the refresh token, or of what those of a session have in common'],
  says: 'user, device',
  codec: asJson(),
});

export const DEHYDRATED = new Collection<readonly [userId: UserId], DehydratedRow>('dehydrated-devices', {
  key: ['user'],
  says: 'the device that no client holds, and what a client makes it of',
  codec: asJson(),
});

const TYPES: ReadonlySet<string> = new Set<AccountFact['type']>([
  'device-added',
  'device-renamed',
  'device-dehydrated',
  'devices-removed',
  'tokens-refreshed',
  'tokens-confirmed',
]);

/** Devices, and the tokens that open them. */
export const devicesProjector: Projector = {
  name: 'devices',
  version: 5,
  ...owning(DEVICES, TOKENS, REFRESH_TOKENS, DEHYDRATED),
  handles: (type) => TYPES.has(type),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const user = userIdOfStream(fact.stream);
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact;
  switch (type) {
    case 'device-added': {
      const before = await DEVICES.get(rows, [user, data.device_id]);
      replace(
        rows,
        user,
        data.device_id,
        before,
        deviceAfterLogin(before, data, { at: fact.metadata.at, revision: fact.revision }),
      );
      return;
    }
    case 'device-renamed':
      return change(rows, user, data.device_id, (device) => ({ ...device, display_name: data.display_name }));
    case 'tokens-refreshed':
      return change(rows, user, data.device_id, (device) => deviceAfterRefresh(device, data));
    case 'tokens-confirmed':
      return change(rows, user, data.device_id, (device) => deviceAfterConfirmation(device, data));
    case 'device-dehydrated':
      return DEHYDRATED.put(rows, [user], { device_id: data.device_id, device_data: data.device_data });
    case 'devices-removed': {
      const dehydrated = await DEHYDRATED.get(rows, [user]);
      if (dehydrated !== undefined && data.device_ids.includes(dehydrated.device_id)) DEHYDRATED.delete(rows, [user]);
      for (const id of data.device_ids) replace(rows, user, id, await DEVICES.get(rows, [user, id]), undefined);
      return;
    }
    default:
  }
}

async function change(
  rows: OwnRows,
  user: UserId,
  device: DeviceId,
  to: (before: DeviceRecord) => DeviceRecord,
): Promise<void> {
  const before = await DEVICES.get(rows, [user, device]);
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
    TOKENS.delete(rows, [pair.token_hash]);
    if (pair.refresh_hash !== undefined) REFRESH_TOKENS.delete(rows, [pair.refresh_hash]);
  }
  if (before?.oauth !== undefined) REFRESH_TOKENS.delete(rows, [before.oauth.family]);
  if (after === undefined) return DEVICES.delete(rows, [user, device]);
  DEVICES.put(rows, [user, device], after);
  if (after.oauth !== undefined) REFRESH_TOKENS.put(rows, [after.oauth.family], { user, device });
  for (const pair of validPairs(after)) {
    TOKENS.put(rows, [pair.token_hash], {
      user,
      device,
      ...(pair.expires_at === undefined ? {} : { expires_at: pair.expires_at }),
      ...(after.previous !== undefined && pair === after.current ? { pending: true } : {}),
    });
    if (pair.refresh_hash !== undefined) REFRESH_TOKENS.put(rows, [pair.refresh_hash], { user, device });
  }
}
