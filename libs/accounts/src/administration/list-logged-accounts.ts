import type { EventStore } from '#event-store/event-store';
import type { OwnRows } from '#projections/projector';
import { USER_STREAM_PREFIX, userIdOfStream } from '#kernel/user-stream';
import { type AccountRow, accountsProjector } from '../projections/accounts.projector.js';
import type { ListedAccount } from '../queries/list-accounts.js';

/**
 * The local accounts as the log has them, in no promised order: for when nobody keeps the views up to date. Reads the stream
 * of every user.
 */
export async function* listLoggedAccounts(store: EventStore): AsyncGenerator<ListedAccount> {
  for await (const stream of store.streams({ prefix: USER_STREAM_PREFIX })) {
    const row = await rowOf(store, stream);
    if (row !== undefined) yield { user_id: userIdOfStream(stream), ...row };
  }
}

/** What the view's own projector makes of one user's facts. */
async function rowOf(store: EventStore, stream: string): Promise<AccountRow | undefined> {
  let value: string | undefined;
  const rows: OwnRows = {
    get: async () => value,
    scan: async () => [],
    put: (_collection, _key, written) => {
      value = written;
    },
    delete: () => {
      value = undefined;
    },
  };
  for await (const fact of store.readStream(stream)) {
    if (accountsProjector.handles(fact.type)) await accountsProjector.project(fact, rows);
  }
  return value === undefined ? undefined : (JSON.parse(value) as AccountRow);
}
