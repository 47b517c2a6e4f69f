import type { FactAt, SnapshotCodec } from '#event-store/aggregates';
import type { DeviceId, RoomId } from '#kernel/ids';
import type { AccountFact } from '../facts/account-facts.js';
import { type Account, NO_ACCOUNT, type ProfileEntry } from './account.js';
import type { DeviceRecord } from './device-tokens.js';

/** An account as it is kept: of the password and the profile only the revisions of the facts that say them. */
interface KeptAccount extends Pick<Account, 'exists' | 'guest' | 'admin' | 'deactivated' | 'byService' | 'serviceId'> {
  readonly password_at?: number;
  readonly profile: readonly (readonly [key: string, at: number])[];
  readonly dehydrated?: { readonly device_id?: DeviceId; readonly at: number };
  readonly devices: readonly (readonly [DeviceId, DeviceRecord])[];
  readonly filters: readonly string[];
  readonly successors: readonly RoomId[];
}

/** How the fold of an account is kept outside of the log. To be numbered anew when `Account` or a fold of it changes. */
export const accountSnapshots: SnapshotCodec<Account> = {
  version: 4,
  format({
    exists,
    guest,
    admin,
    deactivated,
    byService,
    serviceId,
    passwordAt,
    devices,
    dehydrated,
    profile,
    filters,
    successors,
  }): KeptAccount {
    return {
      exists,
      guest,
      admin,
      deactivated,
      byService,
      serviceId,
      password_at: passwordAt,
      dehydrated: dehydrated && { device_id: dehydrated.deviceId, at: dehydrated.at },
      profile: [...profile].map(([key, { at }]) => [key, at]),
      devices: [...devices],
      filters: [...filters],
      successors: [...successors],
    };
  },
  async restore(kept, factAt): Promise<Account> {
    // As `format` wrote it.
    const { password_at: passwordAt, profile, devices, dehydrated, filters, successors, ...rest } = kept as KeptAccount;
    return {
      ...NO_ACCOUNT,
      ...rest,
      passwordAt,
      passwordHash: passwordAt === undefined ? undefined : await passwordHashAt(passwordAt, factAt),
      profile: new Map(await entriesAt(profile, factAt)),
      devices: new Map(devices),
      dehydrated: dehydrated && { deviceId: dehydrated.device_id, at: dehydrated.at },
      filters: new Set(filters),
      successors: new Set(successors),
    };
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

async function findFact(revision: number, factAt: FactAt): Promise<AccountFact | undefined> {
  const fact = await factAt(revision);
  // Only accounts write the facts whose revisions are noted: their data has the shape that AccountFacts gives.
  return fact && ({ type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact);
}
