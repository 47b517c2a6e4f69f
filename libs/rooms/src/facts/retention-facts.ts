import type { FactShapes } from '#event-store/fact-shapes';

/** What the operator rules of how long messages are kept. The last fact counts. */
export const RETENTION_STREAM = 'retention';

/** What the policy of a room stands in, with an empty state key: what servers in use look for, and as the proposal (MSC1763) has it until then. The first counts. */
export const RETENTION_TYPES = ['m.room.retention', 'org.matrix.msc1763.retention'] as const;

/** For how long messages of a room are kept, in milliseconds: MSC1763, the content of `m.room.retention`. */
export interface RetentionPolicy {
  /** All servers are to keep them for so long at least. */
  readonly min_lifetime?: number;
  /** They are to be gone after so long. */
  readonly max_lifetime?: number;
}

/** `retention-ruled`: by what rules messages are kept on this server from here on. So the views, and who makes them anew, know it. */
export interface RetentionRuled {
  /** Whether any message ever goes because of its age. */
  readonly on: boolean;
  /** What rooms get that say nothing themselves. */
  readonly default: RetentionPolicy;
  /** Within which limits the lifetime of messages is, whatever a room says. */
  readonly allowed: { readonly min?: number; readonly max?: number };
}

const POLICIES = RETENTION_TYPES.map((type) => `"type":"${type}"`);

/** Whether a fact of a room may change its policy, by what it says before its PDU (`headerTextOf`). */
export function mayChangePolicy(headerText: string): boolean {
  return POLICIES.some((type) => headerText.includes(type));
}

/** How old shapes of these facts become today's. */
export const RETENTION_SHAPES = {
  'retention-ruled': [],
} as const satisfies FactShapes;
