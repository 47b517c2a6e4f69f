import type { Db } from 'mongodb';
import type { Outage } from '#kernel/outage';
import type { Way } from './connect.js';
import type { Journal } from './journal.js';
import type { LargeValues } from './large-values.js';
import type { RenewedClient } from './renewed-client.js';

/** The database of the views, and what is known of it. */
export interface MongoParts {
  readonly client: RenewedClient;
  readonly database: Db;
  readonly large: LargeValues;
  readonly journal: Journal;
  readonly outage: Outage<Way>;
}
