import { formatAccountData } from '../parts/room-sections.js';
import type { SyncStream } from './sync-context.js';

/** The user's account data that belongs to no room, with the push rules: `account_data`. */
export const accountDataStream: SyncStream = {
  key: 'account_data',
  async read({ filter, accountData }) {
    const { global } = await accountData();
    const events = global.filter(({ type }) => filter.accountData.matches({ type })).map(formatAccountData);
    return { json: `{"events":[${events.join()}]}`, isNews: events.length > 0 };
  },
};
