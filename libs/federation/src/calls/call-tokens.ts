import type { RoomId, ServerName, UserId } from '#kernel/ids';

/** What is said of a call by who wants a token for what carries it: MSC4195, "Acquiring LiveKit access tokens". */
export interface CallTokenRequest {
  /** Where clients reach what carries the call. */
  readonly url: string;
  readonly roomId: RoomId;
  readonly slotId: string;
  /** `member.id` of their `m.rtc.member` event. */
  readonly memberId: string;
  /** What clients of before say as well, by which others know them: the device that they say they are. */
  readonly deviceId?: string;
}

/** Gives users of other servers tokens for calls that are carried here: where calls are. */
export interface CallTokens {
  /**
   * A token for a user of another server, which vouches for them. Throws M_FORBIDDEN for who is not in the room, M_INVALID_PARAM where the call is
   * not carried here, M_LIMIT_EXCEEDED, and M_UNKNOWN with status 502 where what carries calls does not answer.
   */
  grantTo(origin: ServerName, userId: UserId, request: CallTokenRequest): Promise<string>;
}

/** Injection token of CallTokens. */
export const CALL_TOKENS = Symbol.for('annals.CallTokens');
