import type { RecordedFact } from '#event-store/event-store';
import type { DeviceId, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';

/** The requester of what follows from a fact. What the server does for a user by itself is done on no device. */
export function actForUser(userId: UserId, { id, metadata }: RecordedFact, isGuest = false): Requester {
  return {
    userId,
    deviceId: '' as DeviceId,
    isAdmin: false,
    ...(isGuest ? { isGuest } : {}),
    requestId: metadata.correlation ?? id,
  };
}
