import type { RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';

/** An event that is to be sent later. */
export interface DelayedSend {
  readonly roomId: RoomId;
  readonly type: string;
  /** Where it is a state event. */
  readonly stateKey?: string;
  readonly content: JsonObject;
  /** In milliseconds. */
  readonly delay: number;
  readonly txnId?: string;
  /** As of `SendEvent`. */
  readonly sentAt?: number;
  readonly stickyMs?: number;
}

/** What the doors of rooms need where a request says that its event is to be sent later (MSC4140); `libs/calls` keeps these. */
export interface DelayedSends {
  /**
   * Answers the id by which the event is managed until it is sent. Throws M_UNKNOWN with
   * status 400 where it is to wait for too long, as clients know it from where this was tried out, M_BAD_STATE and M_INVALID_PARAM for the
   * type and its key, M_TOO_LARGE for the content, and M_LIMIT_EXCEEDED where its sender has too many that wait.
   */
  schedule(requester: Requester, event: DelayedSend): Promise<string>;
}

/** Injection token of the DelayedSends. */
export const DELAYED_SENDS = Symbol.for('annals.DelayedSends');

/** In the place of a device, in the transactions of events that were sent later: such a transaction is called by the id of the delay. */
export const DELAYED_BY = 'org.matrix.msc4140';
