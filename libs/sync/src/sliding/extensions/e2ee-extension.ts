import { Inject, Injectable } from '@nestjs/common';
import { readKeyCounts } from '#devices/queries/key-counts';
import { VIEWS, type Views } from '#projections/views';
import { DeviceListChanges, NO_DEVICE_LIST_CHANGE, toldLists } from '../../device-lists/device-list-changes.js';
import {
  type ExtensionContext,
  type ExtensionPart,
  NOTHING_TO_TELL,
  type SlidingExtension,
  toldUpTo,
} from './extension-context.js';

/** Whose devices have changed, and how many keys of the own device are left, as /sync tells it. MSC3884. */
@Injectable()
export class E2eeExtension implements SlidingExtension {
  readonly key = 'e2ee';

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly lists: DeviceListChanges,
  ) {}

  async read(context: ExtensionContext): Promise<ExtensionPart> {
    if (!context.wanted.e2ee) return NOTHING_TO_TELL;
    const { requester, rooms, until, turn, hasOwnFacts, since } = context.sync;
    const after = toldUpTo(context, 'e2ee')?.position;
    const change =
      after === undefined
        ? NO_DEVICE_LIST_CHANGE
        : await this.lists.between(
            { userId: requester.userId, rooms, turn },
            after,
            until.position,
            hasOwnFacts || after !== since?.position,
          );
    const counts = await readKeyCounts(this.views, requester);
    const json = JSON.stringify({
      device_lists: toldLists(change),
      device_one_time_keys_count: counts.counts,
      device_unused_fallback_key_types: counts.unusedFallback,
    });
    const isCountNews = counts.since !== undefined && (after === undefined || counts.since > after);
    return { json, isNews: change.changed.size > 0 || change.left.size > 0 || isCountNews };
  }
}
