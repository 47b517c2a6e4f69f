import type { FactAt, SnapshotCodec } from '#event-store/stream-snapshot';
import type { DeviceId, RoomId } from '#kernel/ids';
import type { AccountFact } from '../facts/account-facts.js';
import { threepidKey } from '../threepids/threepid.js';
import { type Account, type KeptThreepid, NO_ACCOUNT, type ProfileEntry, type ReadersEntry } from './account.js';
import { linksAfter } from './decide-external-ids.js';
import type { DeviceRecord } from './device-tokens.js';

/** An account as it is kept: of the password, the profile, who may read what, the addresses and the accounts elsewhere only the revisions of the facts that say them. */
interface KeptAccount extends Omit<
  Account,
  | 'passwordHash'
  | 'passwordAt'
  | 'devices'
  | 'dehydrated'
  | 'profile'
  | 'readers'
  | 'threepids'
  | 'externalIds'
  | 'filters'
  | 'successors'
> {
  readonly password_at?: number;
  readonly profile: readonly (readonly [key: string, at: number])[];
  readonly readers: readonly (readonly [name: string, at: number])[];
  readonly threepids: readonly number[];
  readonly external_ids?: readonly number[];
  readonly dehydrated?: { readonly device_id?: DeviceId; readonly at: number };
  readonly devices: readonly (readonly [DeviceId, DeviceRecord])[];
  readonly filters: readonly string[];
  readonly successors: readonly RoomId[];
}

/** How the fold of an account is kept outside of the log. To be numbered anew when `Account` or a fold of it changes. */
export const accountSnapshots: SnapshotCodec<Account> = {
  version: 17,
  format(account) {
    const { passwordHash: _, passwordAt, devices, dehydrated, profile, readers, threepids, ...rest } = account;
    const { externalIds, filters, successors, ...kept } = rest;
    return {
      ...kept,
      password_at: passwordAt,
      dehydrated: dehydrated && { device_id: dehydrated.deviceId, at: dehydrated.at },
      profile: [...profile].map(([key, { at }]) => [key, at]),
      readers: [...readers].map(([name, { at }]) => [name, at]),
      threepids: [...threepids.values()].map(({ at }) => at),
      external_ids: externalIds?.map(({ at }) => at),
      devices: [...devices],
      filters: [...filters],
      successors: [...successors],
    } satisfies KeptAccount;
  },
  async restore(kept, factAt): Promise<Account> {
    // As `format` wrote it.
    const {
      password_at: passwordAt,
      profile,
      readers,
      threepids,
      external_ids: externalIds,
      devices,
      dehydrated,
      filters,
      successors,
      ...rest
    } = kept as KeptAccount;
    const account: Account = {
      ...NO_ACCOUNT,
      ...rest,
      passwordAt,
      passwordHash: passwordAt === undefined ? undefined : await passwordHashAt(passwordAt, factAt),
      profile: new Map(await entriesAt(profile, factAt)),
      readers: new Map(await readersAt(readers, factAt)),
      threepids: new Map(await threepidsAt(threepids, factAt)),
      devices: new Map(devices),
      dehydrated: dehydrated && { deviceId: dehydrated.device_id, at: dehydrated.at },
      filters: new Set(filters),
      successors: new Set(successors),
    };
    return withLinks(account, externalIds, factAt);
  },
};

async function passwordHashAt(revision: number, factAt: FactAt): Promise<string | undefined> {
  const fact = await findFact(revision, factAt);
  return fact !== undefined && 'password_hash' in fact.data ? fact.data.password_hash : undefined;
}

/** What was erased since is not there any more. */
async function entriesAt(profile: KeptAccount['profile'], factAt: FactAt): Promise<[string, ProfileEntry][]> {
  const entries: [string, ProfileEntry][] = [];
  for (const [key, at] of profile) {
    const fact = await findFact(at, factAt);
    if (fact?.type === 'profile-changed' && fact.data.value !== undefined) {
      entries.push([key, { value: fact.data.value, at }]);
    }
  }
  return entries;
}

async function readersAt(kept: KeptAccount['readers'], factAt: FactAt): Promise<[string, ReadersEntry][]> {
  const entries: [string, ReadersEntry][] = [];
  for (const [name, at] of kept) {
    const fact = await findFact(at, factAt);
    if (fact?.type === 'readers-set' && fact.data.readers !== undefined) {
      entries.push([name, { readers: fact.data.readers, at }]);
    }
  }
  return entries;
}

async function threepidsAt(revisions: readonly number[], factAt: FactAt): Promise<[string, KeptThreepid][]> {
  const entries: [string, KeptThreepid][] = [];
  for (const at of revisions) {
    const fact = await findFact(at, factAt);
    if (fact?.type !== 'threepid-added' || fact.data.address === undefined) continue;
    const { medium, address } = fact.data;
    entries.push([threepidKey({ medium, address }), { medium, address, at }]);
  }
  return entries;
}

/** As `linksAfter`, of what was erased since. */
async function withLinks(account: Account, revisions: readonly number[] = [], factAt: FactAt): Promise<Account> {
  let linked = account;
  for (const at of revisions) {
    const fact = await findFact(at, factAt);
    if (fact?.type === 'external-id-linked') linked = linksAfter(linked, fact, at);
  }
  return linked;
}

async function findFact(revision: number, factAt: FactAt): Promise<AccountFact | undefined> {
  const fact = await factAt(revision);
  // Only accounts write the facts whose revisions are noted: their data has the shape that AccountFacts gives.
  return fact && ({ type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact);
}
