import { isJsonObject, type JsonObject } from '#kernel/json';

/** The key of an event under which it says how long it is sticky, as long as the proposal is not accepted. */
export const STICKY = 'msc4354_sticky';

/** The longest that an event is sticky, whatever it says: an hour. */
export const MOST_STICKY_MS = 3_600_000;

/** For how long an event is sticky, and until when. */
export interface Stickiness {
  /** As it says, in milliseconds. */
  readonly durationMs: number;
  /** In milliseconds since the epoch. */
  readonly until: number;
}

/**
 * How sticky an event is that came at a time (milliseconds since the epoch); undefined where it is not: MSC4354, "Proposal". "The presence
 * of the `sticky` object alone is insufficient." It lasts from when the event was sent, which nobody can put into the future, for an hour
 * at most. Of a redacted event nothing is left of it, in no room version.
 */
export function stickinessOf(pdu: JsonObject, receivedAt: number): Stickiness | undefined {
  const sticky = pdu[STICKY];
  if (!isJsonObject(sticky)) return undefined;
  const { duration_ms: durationMs } = sticky;
  if (typeof durationMs !== 'number' || !Number.isSafeInteger(durationMs) || durationMs < 0) return undefined;
  const sentAt = Number(pdu['origin_server_ts']);
  if (!Number.isSafeInteger(sentAt)) return undefined;
  return { durationMs, until: Math.min(sentAt, receivedAt) + Math.min(durationMs, MOST_STICKY_MS) };
}

/** As an event of ours says it. */
export function stickyForm(durationMs: number): JsonObject {
  return { duration_ms: durationMs };
}
