import type { EventStore } from '#event-store/event-store';
import { USER_STREAM_PREFIX, userIdOfStream } from '#kernel/user-stream';
import { type AccountRow, ACCOUNTS, accountsProjector } from '../projections/accounts.projector.js';
import type { ListedAccount } from '../queries/list-accounts.js';
import { rowOfStream } from './row-of-stream.js';

/**
 * The local accounts as the log has them, in no promised order: for when nobody keeps the views up to date. Reads the stream
 * of every user.
 */
export async function* listLoggedAccounts(store: EventStore): AsyncGenerator<ListedAccount> {
  for await (const stream of store.streams({ prefix: USER_STREAM_PREFIX })) {
    const row = await rowOfStream<AccountRow>(store, stream, accountsProjector, ACCOUNTS.name);
    if (row !== undefined) yield { user_id: userIdOfStream(stream), ...row };
  }
}
