import { Injectable } from '@nestjs/common';
import { ACCOUNT_DATA } from '#accounts/projections/account-data-row';
import { PUSH_RULES } from '#push/projections/push-rules.projector';
import { formatAccountData } from '../parts/room-sections.js';
import type { SyncContext, SyncPart, SyncStream } from './sync-context.js';

/** The user's account data that belongs to no room, with the push rules: `account_data`. */
@Injectable()
export class AccountDataStream implements SyncStream {
  static readonly covers = [ACCOUNT_DATA.name, PUSH_RULES.name];
  readonly key = 'account_data';

  async read({ filter, accountData }: SyncContext): Promise<SyncPart> {
    const { global } = await accountData();
    const events = global.filter(({ type }) => filter.accountData.matches({ type })).map(formatAccountData);
    return { json: `{"events":[${events.join()}]}`, isNews: events.length > 0 };
  }
}
