import type { DeviceId, RoomId } from '#kernel/ids';
import type { JsonValue } from '#kernel/json';
import type {
  AccountDeactivated,
  AccountFact,
  ProfileChanged,
  RateLimitOverridden,
  ReaderEntry,
  ReadersSet,
} from '../facts/account-facts.js';
import type { LoginTokenIssued } from '../facts/login-facts.js';
import { type Threepid, threepidKey } from '../threepids/threepid.js';
import type { AcceptedTerms } from '../terms/terms.js';
import type { LinkedId } from './decide-external-ids.js';
import { termsAfter } from './decide-terms.js';
import { loginsAfter } from './logins-after.js';
import type { UpstreamEnd } from './upstream-sessions.js';
import { type DeviceRecord, deviceAfterConfirmation, deviceAfterLogin, deviceAfterRefresh } from './device-tokens.js';

/** The value of one key of a profile, and the revision of the fact that says it. */
export interface ProfileEntry {
  readonly value: JsonValue;
  readonly at: number;
}

/** Who may read something, and the revision of the fact that says so. */
export interface ReadersEntry {
  readonly readers: readonly ReaderEntry[];
  readonly at: number;
}

/** An identifier of the account, and the revision of the fact that says it. */
export interface KeptThreepid extends Threepid {
  readonly at: number;
}

/** What the deciders know of an account: folded from the user's stream, nothing that no rule asks for. */
export interface Account {
  readonly exists: boolean;
  readonly guest: boolean;
  readonly admin: boolean;
  /** The provider of accounts whose groups made the user an administrator; undefined where an operator did. */
  readonly adminBy?: string;
  readonly deactivated: boolean;
  /** The revision of the fact that closed it last; undefined where it is open. */
  readonly closedAt?: number;
  /** With the account went what was its. */
  readonly erased?: true;
  /** When it was opened again last, in milliseconds since the epoch. */
  readonly reopenedAt?: number;
  /** Nobody may use it. */
  readonly locked: boolean;
  /** Who has locked it, and may lift that, where it was no operator. */
  readonly lockedBy?: 'authentication-service' | undefined;
  /** It is only to read with. */
  readonly suspended: boolean;
  /** What an operator has set in place of the limits of each class. */
  readonly rateLimit: RateLimitOverridden | undefined;
  /** An application service registered it. */
  readonly byService: boolean;
  /** Which one, by its id; undefined where none did, or it was not noted. */
  readonly serviceId: string | undefined;
  readonly passwordHash: string | undefined;
  /** The revision of the fact that says the password's hash. */
  readonly passwordAt: number | undefined;
  /** The revision of the fact by which all sessions ended at once; undefined where they never did. */
  readonly loggedOutAt?: number;
  readonly devices: ReadonlyMap<DeviceId, DeviceRecord>;
  /** The device that no client holds, as long as it is there, and the revision of the last fact that told of one. */
  readonly dehydrated: { readonly deviceId: DeviceId | undefined; readonly at: number } | undefined;
  readonly profile: ReadonlyMap<string, ProfileEntry>;
  /** By `nameOfList`. What is not here has no list. */
  readonly readers: ReadonlyMap<string, ReadersEntry>;
  /** Mail addresses and phone numbers, by `threepidKey`, with the revision of the fact that says each. */
  readonly threepids: ReadonlyMap<string, KeptThreepid>;
  readonly filters: ReadonlySet<string>;
  /** The rooms into which what the user kept about their predecessors has followed. */
  readonly successors: ReadonlySet<RoomId>;
  /** By which a session may be opened once; undefined where there are none. */
  readonly loginTokens?: readonly LoginTokenIssued[];
  /** The accounts elsewhere that are this user's; undefined where there are none. */
  readonly externalIds?: readonly LinkedId[];
  /** The log-outs at such providers of the last minutes. */
  readonly upstreamEnds?: readonly UpstreamEnd[];
  /** The providers of such as were. */
  readonly unlinkedFrom?: readonly string[];
  /** What the user has accepted, each document in the version that they accepted last; undefined: nothing. */
  readonly terms?: AcceptedTerms;
}

/** A user id that nobody has registered. */
export const NO_ACCOUNT: Account = Object.freeze({
  exists: false,
  guest: false,
  admin: false,
  deactivated: false,
  locked: false,
  suspended: false,
  rateLimit: undefined,
  byService: false,
  serviceId: undefined,
  passwordHash: undefined,
  passwordAt: undefined,
  devices: new Map<DeviceId, DeviceRecord>(),
  dehydrated: undefined,
  profile: new Map<string, ProfileEntry>(),
  readers: new Map<string, ReadersEntry>(),
  threepids: new Map<string, KeptThreepid>(),
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

function withoutDevices(account: Account, ids: readonly DeviceId[]): Account {
  const devices = new Map(account.devices);
  for (const id of ids) devices.delete(id);
  const { dehydrated } = account;
  const isGone = dehydrated?.deviceId !== undefined && ids.includes(dehydrated.deviceId);
  return { ...account, devices, dehydrated: isGone ? { ...dehydrated, deviceId: undefined } : dehydrated };
}

function withPassword(account: Account, passwordHash: string | undefined, revision: number): Account {
  return { ...account, passwordHash, passwordAt: passwordHash === undefined ? undefined : revision };
}

function profileAfter({ profile }: Account, { key, value }: ProfileChanged, at: number): Account['profile'] {
  return withEntry(profile, key, value === undefined ? undefined : { value, at });
}

/** Under which name the readers of something are known. */
export function nameOfList({ of, key }: Pick<ReadersSet, 'of' | 'key'>): string {
  return `${of} ${key}`;
}

/** What was erased since was removed, too: it is known no more. */
function withThreepid(
  account: Account,
  { type, data }: Extract<AccountFact, { type: 'threepid-added' | 'threepid-removed' }>,
  at: number,
): Account {
  const { medium, address } = data;
  if (address === undefined) return account;
  const entry = type === 'threepid-added' ? { medium, address, at } : undefined;
  return { ...account, threepids: withEntry(account.threepids, threepidKey({ medium, address }), entry) };
}

function closed(account: Account, { erase }: AccountDeactivated, revision: number): Account {
  const { profile, readers, filters, threepids } = NO_ACCOUNT;
  return {
    ...withPassword(account, undefined, revision),
    deactivated: true,
    closedAt: revision,
    ...(account.erased === true || erase ? { erased: true } : {}),
    ...(erase ? { profile, readers, filters } : {}),
    admin: false,
    adminBy: undefined,
    loginTokens: undefined,
    threepids,
  };
}

/** All that let somebody in before is over. The accounts elsewhere of who was erased are known no more, but for where they were: see `mayLinkByName`. */
function reopened(account: Account, { at, revision }: FactPlace): Account {
  const open = { deactivated: false, closedAt: undefined, reopenedAt: at, loggedOutAt: revision };
  if (account.erased === undefined) return { ...account, ...open };
  const { externalIds = [], unlinkedFrom = [] } = account;
  const all = [...new Set([...unlinkedFrom, ...externalIds.map(({ provider }) => provider)])];
  const unlinked = { externalIds: undefined, unlinkedFrom: all.length === 0 ? undefined : all };
  return { ...account, ...open, ...unlinked, erased: undefined };
}

function restricted(account: Account, { type, data }: AccountFact): Account {
  if (type === 'rate-limit-overridden') return { ...account, rateLimit: data };
  if (type === 'rate-limit-restored') return { ...account, rateLimit: undefined };
  const isOfLock = type === 'account-locked' || type === 'account-unlocked';
  return isOfLock
    ? { ...account, locked: type === 'account-locked', lockedBy: type === 'account-locked' ? data.by : undefined }
    : { ...account, suspended: type === 'account-suspended' };
}

/** Where a fact stands: when it was decided, in milliseconds, and at which revision of its stream. */
export interface FactPlace {
  readonly at: number;
  readonly revision: number;
}

/** The account after a fact. Those of other domains leave it as it is. */
export function evolveAccount(account: Account, fact: AccountFact, { at, revision }: FactPlace): Account {
  switch (fact.type) {
    case 'account-registered':
      return {
        ...withPassword(account, fact.data.password_hash, revision),
        exists: true,
        guest: fact.data.kind === 'guest',
        admin: fact.data.admin ?? false,
        byService: fact.data.via === 'application-service',
        serviceId: fact.data.service,
      };
    case 'guest-upgraded':
      return { ...withPassword(account, fact.data.password_hash, revision), guest: false };
    case 'password-changed':
      return { ...withPassword(account, fact.data.password_hash, revision), loginTokens: undefined };
    case 'account-deactivated':
      return closed(account, fact.data, revision);
    case 'account-reopened':
      return reopened(account, { at, revision });
    case 'threepid-added':
    case 'threepid-removed':
      return withThreepid(account, fact, revision);
    case 'terms-accepted':
      return { ...account, terms: termsAfter(account.terms, fact.data) };
    case 'admin-changed':
      return { ...account, admin: fact.data.admin, adminBy: fact.data.admin ? fact.data.provider : undefined };
    case 'login-token-issued':
    case 'login-token-used':
    case 'external-id-linked':
    case 'external-id-unlinked':
    case 'upstream-sessions-ended':
      return loginsAfter(account, fact, { at, revision });
    case 'account-locked':
    case 'account-unlocked':
    case 'account-suspended':
    case 'account-unsuspended':
    case 'rate-limit-overridden':
    case 'rate-limit-restored':
      return restricted(account, fact);
    case 'profile-changed':
      return { ...account, profile: profileAfter(account, fact.data, revision) };
    case 'readers-set': {
      const { readers } = fact.data;
      const entry = readers && { readers, at: revision };
      return { ...account, readers: withEntry(account.readers, nameOfList(fact.data), entry) };
    }
    case 'filter-created':
      return { ...account, filters: new Set(account.filters).add(fact.data.filter_id) };
    case 'room-succeeded':
      return { ...account, successors: new Set(account.successors).add(fact.data.to) };
    default:
      return devicesAfter(account, fact, { at, revision });
  }
}

/** As `evolveAccount`: the devices and their tokens. */
function devicesAfter(account: Account, fact: AccountFact, { at, revision }: FactPlace): Account {
  switch (fact.type) {
    case 'device-added': {
      const device = deviceAfterLogin(account.devices.get(fact.data.device_id), fact.data, { at, revision });
      return { ...account, devices: withEntry(account.devices, fact.data.device_id, device) };
    }
    case 'device-renamed':
      return withDevice(account, fact.data.device_id, (device) => ({
        ...device,
        display_name: fact.data.display_name,
      }));
    case 'device-dehydrated':
      return { ...account, dehydrated: { deviceId: fact.data.device_id, at: revision } };
    case 'devices-removed': {
      const left = withoutDevices(account, fact.data.device_ids);
      // A token that was made for another client may be somebody else's by now.
      return fact.data.reason === 'logout-all' ? { ...left, loggedOutAt: revision, loginTokens: undefined } : left;
    }
    case 'tokens-refreshed':
      return withDevice(account, fact.data.device_id, (device) => deviceAfterRefresh(device, fact.data));
    case 'tokens-confirmed':
      return withDevice(account, fact.data.device_id, (device) => deviceAfterConfirmation(device, fact.data));
    default:
      return account;
  }
}
