import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { userIdOfStream } from '#kernel/user-stream';
import { termsAfter } from '../decide/decide-terms.js';
import type { AcceptedTerms } from '../terms/terms.js';
import type { AccountFact, RateLimitOverridden, RegisteredVia } from '../facts/account-facts.js';

/** What is known of a local user besides what has a collection of its own. */
export interface AccountRow {
  readonly created_ts: number;
  readonly via: RegisteredVia;
  readonly guest?: true;
  readonly admin?: true;
  readonly deactivated?: true;
  readonly locked?: true;
  readonly suspended?: true;
  /** What an operator has set in place of the limits of each class of requests. */
  readonly rate_limit?: RateLimitOverridden;
  /** Which version of each document they have accepted. */
  readonly terms?: AcceptedTerms;
  /** When they accepted the last of these, in milliseconds since the epoch. */
  readonly terms_ts?: number;
  readonly erased?: true;
}

export const ACCOUNTS = new Collection<readonly [userId: UserId], AccountRow>('accounts', {
  key: ['user'],
  says: 'since when and how it is there, whether guest, administrator, deactivated, erased, locked, suspended; a rate limit of its own; the terms that were accepted, and when',
  codec: {
    // One order of keys, whatever happened before: rebuilt rows are compared as text.
    encode: (row) => {
      const { created_ts, via, guest, admin, deactivated, erased, locked, suspended, rate_limit: limit, terms } = row;
      const rate_limit = limit && { per_second: limit.per_second, burst: limit.burst };
      const states = { guest, admin, deactivated, erased, locked, suspended };
      return JSON.stringify({ created_ts, via, ...states, rate_limit, terms, terms_ts: row.terms_ts });
    },
    decode: asJson<AccountRow>().decode,
  },
});

/** A time at which somebody asked for what they had said to be erased. */
export interface ErasedTime {
  /** The position of the fact that says so. */
  readonly at: Position;
  /** Where their account was opened again, and when, in milliseconds since the epoch: what they say since then is not meant. */
  readonly until?: { readonly position: Position; readonly ts: number };
}

export const ERASED_USERS = new Collection<readonly [userId: UserId], readonly ErasedTime[]>('erased-users', {
  key: ['user'],
  says: 'the positions at which they asked for their content to be erased, and at which their account was opened again',
  codec: asJson(),
});

const TYPES: ReadonlySet<string> = new Set<AccountFact['type']>([
  'account-registered',
  'guest-upgraded',
  'admin-changed',
  'account-deactivated',
  'account-reopened',
  'account-locked',
  'account-unlocked',
  'account-suspended',
  'account-unsuspended',
  'rate-limit-overridden',
  'rate-limit-restored',
  'terms-accepted',
]);

/** Who has an account here, who is an administrator, who is gone, and who took what they said with them. */
export const accountsProjector: Projector = {
  name: 'accounts',
  version: 7,
  // Before, the row of who was erased was one position, and no JSON.
  readableSince: 7,
  ...owning(ACCOUNTS, ERASED_USERS),
  handles: (type) => TYPES.has(type),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfStream(fact.stream);
  const told = { type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact;
  const before = told.type === 'account-registered' ? undefined : await ACCOUNTS.get(rows, [userId]);
  const after = before === undefined ? firstRow(told, fact.metadata.at) : rowAfter(before, told, fact.metadata.at);
  if (after === undefined) return;
  if (told.type === 'account-deactivated' || told.type === 'account-reopened') await noteErased(told, fact, rows);
  ACCOUNTS.put(rows, [userId], after);
}

/** What was applied before is told by the positions. */
async function noteErased({ type, data }: AccountFact, fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { stream, position, metadata } = fact;
  const key = [userIdOfStream(stream)] as const;
  const times = (await ERASED_USERS.get(rows, key)) ?? [];
  const last = times.at(-1);
  if (last !== undefined && (last.at >= position || (last.until !== undefined && last.until.position >= position)))
    return;
  const isErased = last !== undefined && last.until === undefined;
  if (type === 'account-deactivated' && data.erase && !isErased)
    ERASED_USERS.put(rows, key, [...times, { at: position }]);
  if (type === 'account-reopened' && isErased)
    ERASED_USERS.put(rows, key, [...times.slice(0, -1), { at: last.at, until: { position, ts: metadata.at } }]);
}

function firstRow({ type, data }: AccountFact, at: number): AccountRow | undefined {
  if (type !== 'account-registered') return undefined;
  const guest = data.kind === 'guest' ? true : undefined;
  return { created_ts: at, via: data.via, guest, admin: data.admin };
}

function rowAfter(row: AccountRow, { type, data }: AccountFact, at: number): AccountRow {
  switch (type) {
    case 'guest-upgraded':
      return { ...row, guest: undefined };
    case 'admin-changed':
      return { ...row, admin: data.admin || undefined };
    case 'account-locked':
    case 'account-unlocked':
      return { ...row, locked: type === 'account-locked' || undefined };
    case 'account-suspended':
    case 'account-unsuspended':
      return { ...row, suspended: type === 'account-suspended' || undefined };
    case 'rate-limit-overridden':
      return { ...row, rate_limit: data };
    case 'rate-limit-restored':
      return { ...row, rate_limit: undefined };
    case 'terms-accepted':
      return { ...row, terms: termsAfter(row.terms, data), terms_ts: at };
    case 'account-deactivated':
      return { ...row, admin: undefined, deactivated: true, erased: row.erased ?? (data.erase || undefined) };
    case 'account-reopened':
      return { ...row, deactivated: undefined, erased: undefined };
    default:
      return row;
  }
}
