import type { OwnRows, Projector } from '#projections/projector';
import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { userIdOfStream } from '#kernel/user-stream';
import type { AccountFact, RegisteredVia } from '../facts/account-facts.js';

/** `accounts` [user]: what is known of a local user besides what has a collection of its own. */
export interface AccountRow {
  readonly created_ts: number;
  readonly via: RegisteredVia;
  readonly guest?: true;
  readonly admin?: true;
  readonly deactivated?: true;
  readonly erased?: true;
}

/** `erased-users` [user]: the place in the log at which the user asked for their content to be erased. */
export type ErasedUserRow = Position;

const TYPES: ReadonlySet<string> = new Set<AccountFact['type']>([
  'account-registered',
  'guest-upgraded',
  'admin-changed',
  'account-deactivated',
]);

/** Who has an account here, who is an administrator, who is gone, and who took what they said with them. */
export const accountsProjector: Projector = {
  name: 'accounts',
  version: 2,
  collections: ['accounts', 'erased-users'],
  handles: (type) => TYPES.has(type),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfStream(fact.stream);
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact;
  const put = ({ created_ts, via, guest, admin, deactivated, erased }: AccountRow): void => {
    // One order of keys, whatever happened before: rebuilt rows are compared as text.
    rows.put('accounts', [userId], JSON.stringify({ created_ts, via, guest, admin, deactivated, erased }));
  };
  if (type === 'account-registered') {
    const guest = data.kind === 'guest' ? true : undefined;
    put({ created_ts: fact.metadata.at, via: data.via, guest, ...(data.admin ? { admin: true } : {}) });
    return;
  }
  const row = await rowOf(rows, userId);
  if (row === undefined) return;
  if (type === 'guest-upgraded') put({ ...row, guest: undefined });
  const { admin: _before, ...others } = row;
  if (type === 'admin-changed') put(data.admin ? { ...others, admin: true } : others);
  if (type === 'account-deactivated' && data.erase) {
    rows.put('erased-users', [userId], fact.position satisfies ErasedUserRow);
  }
  if (type === 'account-deactivated') put({ ...others, deactivated: true, ...(data.erase ? { erased: true } : {}) });
}

async function rowOf(rows: OwnRows, userId: UserId): Promise<AccountRow | undefined> {
  const text = await rows.get('accounts', [userId]);
  return text === undefined ? undefined : (JSON.parse(text) as AccountRow);
}
