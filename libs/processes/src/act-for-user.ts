import type { RecordedFact } from '#event-store/event-store';
import type { DeviceId, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';

/** The requester of what follows from a fact: on the device on which the user caused it, or on none. */
export function actForUser(userId: UserId, { id, metadata }: RecordedFact, isGuest = false): Requester {
  return {
    userId,
    deviceId: (metadata.actor === userId ? (metadata.device ?? '') : '') as DeviceId,
    isAdmin: false,
    ...(isGuest ? { isGuest } : {}),
    requestId: metadata.correlation ?? id,
  };
}
