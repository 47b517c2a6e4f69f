import type { KeyCounts } from '../facts/device-key-facts.js';

/** What clients want to be told of, also where there is none: without a number some take it that nothing has changed. */
const ALWAYS_TOLD = Object.freeze({ signed_curve25519: 0 });

/** One-time keys that can be claimed, by algorithm, as clients are told of them. */
export function clientCounts({ counts }: Pick<KeyCounts, 'counts'>): Readonly<Record<string, number>> {
  return { ...ALWAYS_TOLD, ...counts };
}
