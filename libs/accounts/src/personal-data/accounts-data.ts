import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { PersonalData } from '#personal-data/personal-data';
import { VIEWS, type Views } from '#projections/views';
import { Devices } from '../queries/devices.js';
import { accountHistory } from './account-history.js';
import { accountKinds } from './account-kinds.js';
import { sessionKinds } from './session-kinds.js';

/** What people have of this domain, for who asks for their data. */
@Injectable()
export class AccountsData {
  constructor(
    data: PersonalData,
    devices: Devices,
    @Inject(VIEWS) views: Views,
    @Inject(EVENT_STORE) store: EventStore,
  ) {
    data.add(accountHistory(store), ...accountKinds(views), ...sessionKinds(views, devices));
  }
}
