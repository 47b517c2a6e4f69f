import { Inject, Injectable } from '@nestjs/common';
import { KEY_COUNTS } from '#devices/projections/device-keys.projector';
import { type OwnKeyCounts, readKeyCounts } from '#devices/queries/key-counts';
import { VIEWS, type Views } from '#projections/views';
import type { SyncContext, SyncPart, SyncStream } from './sync-context.js';

/** The keys of the device that asks, read once for both streams. */
const readOf = new WeakMap<SyncContext, Promise<OwnKeyCounts>>();

function keyCountsOf(views: Views, context: SyncContext): Promise<OwnKeyCounts> {
  let counts = readOf.get(context);
  if (counts === undefined) readOf.set(context, (counts = readKeyCounts(views, context.requester)));
  return counts;
}

function isNews({ since: changed }: OwnKeyCounts, { since }: SyncContext): boolean {
  return changed !== undefined && (since === undefined || changed > since.position);
}

/** How many one-time keys of the device can be claimed, in every answer: `device_one_time_keys_count`. */
@Injectable()
export class OneTimeKeyCountStream implements SyncStream {
  static readonly covers = [KEY_COUNTS.name];
  readonly key = 'device_one_time_keys_count';

  constructor(@Inject(VIEWS) private readonly views: Views) {}

  async read(context: SyncContext): Promise<SyncPart> {
    const counts = await keyCountsOf(this.views, context);
    return { json: JSON.stringify(counts.counts), isNews: isNews(counts, context) };
  }
}

/** The algorithms whose fallback key nobody has claimed, in every answer: `device_unused_fallback_key_types`. */
@Injectable()
export class UnusedFallbackKeysStream implements SyncStream {
  static readonly covers = [KEY_COUNTS.name];
  readonly key = 'device_unused_fallback_key_types';

  constructor(@Inject(VIEWS) private readonly views: Views) {}

  async read(context: SyncContext): Promise<SyncPart> {
    const counts = await keyCountsOf(this.views, context);
    return { json: JSON.stringify(counts.unusedFallback), isNews: isNews(counts, context) };
  }
}
