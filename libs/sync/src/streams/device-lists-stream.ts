import { Injectable } from '@nestjs/common';
import { DeviceListChanges, NO_DEVICE_LIST_CHANGE, toldLists } from '../device-lists/device-list-changes.js';
import type { SyncContext, SyncPart, SyncStream } from './sync-context.js';

/** Whose devices have changed, and whose the client need not know any more: `device_lists`. */
@Injectable()
export class DeviceListsStream implements SyncStream {
  static readonly covers = DeviceListChanges.covers;
  readonly key = 'device_lists';

  constructor(private readonly lists: DeviceListChanges) {}

  async read(context: SyncContext): Promise<SyncPart> {
    const { changed, left } = toldLists(await this.#changesOf(context));
    return { json: JSON.stringify({ changed, left }), isNews: changed.length > 0 || left.length > 0 };
  }

  #changesOf(context: SyncContext): ReturnType<DeviceListChanges['between']> {
    const { since, until, isAnew, requester, rooms, hasOwnFacts, turn } = context;
    const reader = { userId: requester.userId, rooms, turn };
    if (since !== undefined) return this.lists.between(reader, since.position, until.position, hasOwnFacts);
    return isAnew ? this.lists.everybody(reader) : Promise.resolve(NO_DEVICE_LIST_CHANGE);
  }
}
