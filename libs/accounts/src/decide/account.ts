import type { DeviceId, RoomId } from '#kernel/ids';
import type { JsonValue } from '#kernel/json';
import type { AccountFact } from '../facts/account-facts.js';
import { type DeviceRecord, deviceAfterConfirmation, deviceAfterLogin, deviceAfterRefresh } from './device-tokens.js';

/** What the deciders know of an account: folded from the user's stream, nothing that no rule asks for. */
export interface Account {
  readonly exists: boolean;
  readonly guest: boolean;
  readonly admin: boolean;
  readonly deactivated: boolean;
  readonly passwordHash: string | undefined;
  readonly devices: ReadonlyMap<DeviceId, DeviceRecord>;
  readonly profile: ReadonlyMap<string, JsonValue>;
  readonly filters: ReadonlySet<string>;
  /** The rooms into which what the user kept about their predecessors has followed. */
  readonly successors: ReadonlySet<RoomId>;
}

/** A user id that nobody has registered. */
export const NO_ACCOUNT: Account = Object.freeze({
  exists: false,
  guest: false,
  admin: false,
  deactivated: false,
  passwordHash: undefined,
  devices: new Map<DeviceId, DeviceRecord>(),
  profile: new Map<string, JsonValue>(),
  filters: new Set<string>(),
  successors: new Set<RoomId>(),
});

function withEntry<K, V>(map: ReadonlyMap<K, V>, key: K, value: V | undefined): ReadonlyMap<K, V> {
  const copy = new Map(map);
  if (value === undefined) copy.delete(key);
  else copy.set(key, value);
  return copy;
}

function withDevice(account: Account, id: DeviceId, change: (device: DeviceRecord) => DeviceRecord): Account {
  const device = account.devices.get(id);
  return device === undefined ? account : { ...account, devices: withEntry(account.devices, id, change(device)) };
}

/** The account after a fact decided at `at` (milliseconds). Facts of other domains leave it as it is. */
export function evolveAccount(account: Account, fact: AccountFact, at: number): Account {
  switch (fact.type) {
    case 'account-registered':
      return {
        ...account,
        exists: true,
        guest: fact.data.kind === 'guest',
        admin: fact.data.admin ?? false,
        passwordHash: fact.data.password_hash,
      };
    case 'guest-upgraded':
      return { ...account, guest: false, passwordHash: fact.data.password_hash };
    case 'device-added': {
      const device = deviceAfterLogin(account.devices.get(fact.data.device_id), fact.data, at);
      return { ...account, devices: withEntry(account.devices, fact.data.device_id, device) };
    }
    case 'device-renamed':
      return withDevice(account, fact.data.device_id, (device) => ({
        ...device,
        display_name: fact.data.display_name,
      }));
    case 'devices-removed': {
      const devices = new Map(account.devices);
      for (const id of fact.data.device_ids) devices.delete(id);
      return { ...account, devices };
    }
    case 'tokens-refreshed':
      return withDevice(account, fact.data.device_id, (device) => deviceAfterRefresh(device, fact.data));
    case 'tokens-confirmed':
      return withDevice(account, fact.data.device_id, (device) => deviceAfterConfirmation(device, fact.data));
    case 'password-changed':
      return { ...account, passwordHash: fact.data.password_hash };
    case 'account-deactivated':
      return { ...account, deactivated: true, admin: false, passwordHash: undefined };
    case 'admin-changed':
      return { ...account, admin: fact.data.admin };
    case 'profile-changed':
      return {
        ...account,
        profile: withEntry(account.profile, fact.data.key, fact.data.removed ? undefined : fact.data.value),
      };
    case 'filter-created':
      return { ...account, filters: new Set(account.filters).add(fact.data.filter_id) };
    case 'room-succeeded':
      return { ...account, successors: new Set(account.successors).add(fact.data.to) };
    default:
      return account;
  }
}
