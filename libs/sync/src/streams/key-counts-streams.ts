import { Injectable } from '@nestjs/common';
import { KEY_COUNTS } from '#devices/projections/device-keys.projector';
import type { OwnKeyCounts } from '#devices/queries/key-counts';
import type { SyncContext, SyncPart, SyncStream } from './sync-context.js';

function isNews({ since: changed }: OwnKeyCounts, { since }: SyncContext): boolean {
  return changed !== undefined && (since === undefined || changed > since.position);
}

/** How many one-time keys of the device can be claimed, in every answer: `device_one_time_keys_count`. */
@Injectable()
export class OneTimeKeyCountStream implements SyncStream {
  static readonly covers = [KEY_COUNTS.name];
  readonly key = 'device_one_time_keys_count';

  async read(context: SyncContext): Promise<SyncPart> {
    const counts = await context.keyCounts();
    return { json: JSON.stringify(counts.counts), isNews: isNews(counts, context) };
  }
}

/** The algorithms whose fallback key nobody has claimed, in every answer: `device_unused_fallback_key_types`. */
@Injectable()
export class UnusedFallbackKeysStream implements SyncStream {
  static readonly covers = [KEY_COUNTS.name];
  readonly key = 'device_unused_fallback_key_types';

  async read(context: SyncContext): Promise<SyncPart> {
    const counts = await context.keyCounts();
    return { json: JSON.stringify(counts.unusedFallback), isNews: isNews(counts, context) };
  }
}
