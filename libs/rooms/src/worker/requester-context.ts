import type { Requester } from '#kernel/requester';
import type { FactContext } from './room-turn.js';

/** What the facts of a request say of who caused them. */
export function contextOf(requester: Requester): FactContext {
  return { actor: requester.userId, device: requester.deviceId, correlation: requester.requestId };
}
