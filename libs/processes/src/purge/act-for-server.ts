import type { RecordedFact } from '#event-store/event-store';
import type { DeviceId, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';

/** The requester of what the server itself does because of a fact. */
export function actForServer({ id, metadata }: RecordedFact): Requester {
  // As the log calls it.
  return { userId: 'server' as UserId, deviceId: '' as DeviceId, isAdmin: true, requestId: metadata.correlation ?? id };
}
