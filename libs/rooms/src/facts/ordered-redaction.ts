import { hash } from 'node:crypto';
import type { EventId, UserId } from '#kernel/ids';

/** Where a message stands: with those that were news, or with those that were fetched from the past. */
export type MessagesKept = 'news' | 'past';

/** Why an event was redacted on this server alone: an operator ordered it, because nobody here has the power to redact it in the room, or it was too old. */
export interface OrderedRedaction {
  /** The room keeps messages no longer; and where the event stands. */
  readonly expired?: MessagesKept;
  /** An administrator; left out: whoever has the server's command line. */
  readonly by?: UserId;
  readonly reason?: string;
}

/** What stands in the place of the redaction of an event that is redacted on this server alone. */
export function redactedHereBy(eventId: EventId): EventId {
  return `$redacted-here-${hash('sha256', eventId, 'base64url')}` as EventId;
}
