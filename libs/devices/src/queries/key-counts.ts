import type { Position } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import type { Views } from '#projections/views';
import type { KeyCounts } from '../facts/device-key-facts.js';
import { KEY_COUNTS } from '../projections/device-keys.projector.js';

/** What clients want to be told of, also where there is none: without a number some take it that nothing has changed. */
const ALWAYS_TOLD = Object.freeze({ signed_curve25519: 0 });

/** One-time keys that can be claimed, by algorithm, as clients are told of them. */
export function clientCounts({ counts }: Pick<KeyCounts, 'counts'>): Readonly<Record<string, number>> {
  return { ...ALWAYS_TOLD, ...counts };
}

/** The keys of a device as the views have them. */
export interface OwnKeyCounts {
  readonly counts: Readonly<Record<string, number>>;
  readonly unusedFallback: readonly string[];
  /** When that last changed; undefined where it never has. */
  readonly since: Position | undefined;
}

/** What the requester's device is told of its one-time and fallback keys. Those of before a restoration of the log are void. */
export async function readKeyCounts(
  views: Pick<Views, 'get' | 'history'>,
  { userId, deviceId }: Requester,
): Promise<OwnKeyCounts> {
  const row = await KEY_COUNTS.get(views, [userId, deviceId]);
  const isOfNow = row?.history === views.history.name;
  return {
    counts: clientCounts({ counts: isOfNow ? row.counts : {} }),
    unusedFallback: row?.unused_fallback ?? [],
    since: row?.position,
  };
}
