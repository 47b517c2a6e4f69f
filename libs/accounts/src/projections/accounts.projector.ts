import { asJson, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { userIdOfStream } from '#kernel/user-stream';
import type { AccountFact, RegisteredVia } from '../facts/account-facts.js';

/** What is known of a local user besides what has a collection of its own. */
export interface AccountRow {
  readonly created_ts: number;
  readonly via: RegisteredVia;
  readonly guest?: true;
  readonly admin?: true;
  readonly deactivated?: true;
  readonly locked?: true;
  readonly suspended?: true;
  readonly erased?: true;
}

export const ACCOUNTS = new Collection<readonly [userId: UserId], AccountRow>('accounts', {
  key: ['user'],
  says: 'since when and how it is there, whether guest, administrator, deactivated, erased, locked, suspended',
  codec: {
    // One order of keys, whatever happened before: rebuilt rows are compared as text.
    encode: ({ created_ts, via, guest, admin, deactivated, erased, locked, suspended }) =>
      JSON.stringify({ created_ts, via, guest, admin, deactivated, erased, locked, suspended }),
    decode: asJson<AccountRow>().decode,
  },
});

export const ERASED_USERS = new Collection<readonly [userId: UserId], Position>('erased-users', {
  key: ['user'],
  says: 'the position at which they asked for their content to be erased',
  codec: asText(),
});

const TYPES: ReadonlySet<string> = new Set<AccountFact['type']>([
  'account-registered',
  'guest-upgraded',
  'admin-changed',
  'account-deactivated',
  'account-locked',
  'account-unlocked',
  'account-suspended',
  'account-unsuspended',
]);

/** Who has an account here, who is an administrator, who is gone, and who took what they said with them. */
export const accountsProjector: Projector = {
  name: 'accounts',
  version: 3,
  ...owning(ACCOUNTS, ERASED_USERS),
  handles: (type) => TYPES.has(type),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfStream(fact.stream);
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact;
  const put = (row: AccountRow): void => ACCOUNTS.put(rows, [userId], row);
  if (type === 'account-registered') {
    const guest = data.kind === 'guest' ? true : undefined;
    put({ created_ts: fact.metadata.at, via: data.via, guest, ...(data.admin ? { admin: true } : {}) });
    return;
  }
  const row = await ACCOUNTS.get(rows, [userId]);
  if (row === undefined) return;
  if (type === 'guest-upgraded') put({ ...row, guest: undefined });
  const { admin: _before, ...others } = row;
  if (type === 'admin-changed') put(data.admin ? { ...others, admin: true } : others);
  if (type === 'account-locked') put({ ...row, locked: true });
  if (type === 'account-unlocked') put({ ...row, locked: undefined });
  if (type === 'account-suspended') put({ ...row, suspended: true });
  if (type === 'account-unsuspended') put({ ...row, suspended: undefined });
  if (type === 'account-deactivated' && data.erase) {
    ERASED_USERS.put(rows, [userId], fact.position);
  }
  if (type === 'account-deactivated') put({ ...others, deactivated: true, ...(data.erase ? { erased: true } : {}) });
}
