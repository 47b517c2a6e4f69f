import { Injectable } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import { isServicesOwn } from '#accounts/sessions/services-own';
import type { AppService } from '#config/appservices/app-service';
import { Inboxes } from '#devices/inboxes';
import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { Turn } from '#projections/turn';
import { collectedBy } from './collected-messages.js';

/**
 * Takes what a service has accepted for devices of users that are its own: it waits for them no more. A person may lie in its namespace too,
 * whose devices sync. Throws as the log does.
 */
@Injectable()
export class TakeCollected {
  constructor(
    private readonly accounts: Accounts,
    private readonly inboxes: Inboxes,
  ) {}

  async take(service: AppService, facts: readonly RecordedFact[]): Promise<void> {
    const own = new Map<UserId, boolean>();
    const turn = new Turn(1);
    for (const { device, messages } of collectedBy(service, facts)) {
      if (turn.isOver()) await turn.pass();
      const [userId] = device;
      const isOwn = own.get(userId) ?? isServicesOwn(service, userId, await this.accounts.load(userId));
      own.set(userId, isOwn);
      if (isOwn) this.inboxes.noteHandedOver(device, messages);
    }
  }
}
