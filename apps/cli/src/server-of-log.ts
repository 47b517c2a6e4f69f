import { USER_STREAM_PREFIX, userIdOfStream } from '#kernel/user-stream';
import type { EventStore } from '#event-store/event-store';
import { findLogIdentity } from '#event-store/log-identity';
import { type ServerName, serverNameOf } from '#kernel/ids';

/** The name of the server whose log it is; where the log does not say so, that of its users; undefined where it has none. */
export async function serverOfLog(store: EventStore): Promise<ServerName | undefined> {
  const identity = await findLogIdentity(store);
  if (identity !== undefined) return identity.serverName;
  for await (const stream of store.streams({ prefix: USER_STREAM_PREFIX })) return serverNameOf(userIdOfStream(stream));
  return undefined;
}
