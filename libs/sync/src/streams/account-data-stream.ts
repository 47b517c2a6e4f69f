import { Injectable } from '@nestjs/common';
import { formatAccountData } from '../parts/room-sections.js';
import type { SyncContext, SyncPart, SyncStream } from './sync-context.js';

/** The user's account data that belongs to no room, with the push rules: `account_data`. */
@Injectable()
export class AccountDataStream implements SyncStream {
  static readonly covers = ['account-data', 'push-rules'];
  readonly key = 'account_data';

  async read({ filter, accountData }: SyncContext): Promise<SyncPart> {
    const { global } = await accountData();
    const events = global.filter(({ type }) => filter.accountData.matches({ type })).map(formatAccountData);
    return { json: `{"events":[${events.join()}]}`, isNews: events.length > 0 };
  }
}
