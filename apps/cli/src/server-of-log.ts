import { USER_STREAM_PREFIX, userIdOfStream } from '#accounts/facts/account-facts';
import type { EventStore } from '#event-store/event-store';
import { type ServerName, serverNameOf } from '#kernel/ids';

/** The name of the server whose users a log has; undefined where it has none yet. */
export async function serverOfLog(store: EventStore): Promise<ServerName | undefined> {
  for await (const stream of store.streams({ prefix: USER_STREAM_PREFIX })) return serverNameOf(userIdOfStream(stream));
  return undefined;
}
