import type { JsonObject } from '#kernel/json';
import type { RetentionPolicy, RetentionRuled } from '../facts/retention-facts.js';

/** Nothing goes sooner, whatever a room says. PERF: so of an event that is as fresh as this nobody has to ask how long it is kept. */
export const SHORTEST_LIFETIME_MS = 60_000;

/**
 * What the content of a room's policy says; undefined where it says nothing that can be kept to: a time that is none, or a message that
 * is to be gone before it may go.
 */
export function readRetentionPolicy(content: JsonObject): RetentionPolicy | undefined {
  const { min_lifetime: min, max_lifetime: max } = content;
  if (![min, max].every((value) => value === undefined || value === null || isLifetime(value))) return undefined;
  const policy = {
    ...(isLifetime(min) ? { min_lifetime: min } : {}),
    ...(isLifetime(max) ? { max_lifetime: max } : {}),
  };
  return isLifetime(min) && isLifetime(max) && min > max ? undefined : policy;
}

function isLifetime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/**
 * After how many milliseconds messages of a room are over; undefined: never. As MSC1763, "Defining the effective retention policy of a room",
 * has it; what a room leaves out of its policy it has by the server's default, and no default is shorter than a room wants messages to be
 * kept at least. The operator's limits go before all of it. Where neither the room nor the default says anything nothing goes.
 */
export function lifetimeOf(rules: RetentionRuled, policy: RetentionPolicy | undefined): number | undefined {
  if (!rules.on) return undefined;
  const byDefault = rules.default.max_lifetime;
  const wanted =
    policy?.max_lifetime ?? (byDefault === undefined ? undefined : Math.max(byDefault, policy?.min_lifetime ?? 0));
  if (wanted === undefined) return undefined;
  const { min = 0, max = Infinity } = rules.allowed;
  return Math.max(Math.min(Math.max(wanted, min), max), SHORTEST_LIFETIME_MS);
}

/** What is looked at of an event to know how old it is. */
export interface AgeingEvent {
  readonly stateKey?: string;
  /** `origin_server_ts`. */
  readonly sentAt: number;
  /** When it came, where it says to have been sent later than that. */
  readonly arrivedAt?: number;
}

/**
 * Since when an event is there: when it was sent, or came, should it say to have been sent later. Else its sender could keep it for ever. State
 * stays, and so does not age (`Infinity`): "Retention is only considered for non-state events".
 */
export function agesFrom({ stateKey, sentAt, arrivedAt }: AgeingEvent): number {
  return stateKey === undefined ? (arrivedAt ?? sentAt) : Infinity;
}

/** Whether an event has been there for a time, in milliseconds. */
export function isAsOldAs(event: AgeingEvent, lifetime: number, now: number): boolean {
  return agesFrom(event) <= now - lifetime;
}

/** How the ids begin that stand for the redaction of an event that was taken away because of its age: no event is called so. */
const EXPIRY = '$expired-';

/** What stands in the place of the redaction of an event that is over. */
export function expiryOf(eventId: string): string {
  return `${EXPIRY}${eventId.slice(1)}`;
}

/** Whether an event was taken away because of its age, by what is said to have redacted it. */
export function isExpiry(redactedBy: string | undefined): boolean {
  return redactedBy?.startsWith(EXPIRY) === true;
}
