import { Inject, Injectable, Optional } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import { isUnerasable } from '#accounts/facts/erasable-parts';
import { ACCOUNT_DATA } from '#accounts/projections/account-data-row';
import type { Counts } from '#admin/facts/erasure-facts';
import { listReports, type Report } from '#admin/reports/reports';
import { AddressBooks } from '#contacts/address-books';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { userStream } from '#kernel/user-stream';
import { ErasedMedia } from '#media/erased-media';
import { VIEWS, type Views } from '#projections/views';

/** What this server keeps of a user besides what they said in rooms. */
@Injectable()
export class KeptOfUser {
  constructor(
    private readonly accounts: Accounts,
    private readonly books: AddressBooks,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(VIEWS) private readonly views: Views,
    @Optional() private readonly media?: ErasedMedia,
  ) {}

  /** What goes with the account where that is erased, by kind. */
  async count(userId: UserId): Promise<Counts> {
    const { profile, devices, threepids, filters, externalIds = [] } = await this.accounts.load(userId);
    let data = 0;
    for await (const page of ACCOUNT_DATA.pages(this.views, { prefix: [userId] })) data += page.length;
    const { state: book } = await this.books.look(userId);
    return withoutNone({
      'profile fields': profile.size,
      devices: devices.size,
      addresses: threepids.size,
      'accounts elsewhere': externalIds.length,
      'account data': data,
      filters: filters.size,
      contacts: book.contacts.size,
      media: (await this.media?.count(userId))?.media ?? 0,
    });
  }

  /** What stays, and why it does. */
  async countKept(userId: UserId): Promise<Counts> {
    let old = 0;
    for await (const fact of this.store.readStream(userStream(userId))) if (isUnerasable(fact)) old++;
    const reports = (await listReports(this.store)).filter((report) => !report.isClosed && concerns(report, userId));
    return withoutNone({
      'open reports': reports.length,
      'media in quarantine': (await this.media?.count(userId))?.quarantined ?? 0,
      'facts that cannot be erased': old,
    });
  }

  /** Deletes what they uploaded. */
  async deleteMedia(userId: UserId): Promise<void> {
    await this.media?.delete(userId);
  }
}

/** Whether a report was made by a user, or holds what they said: until it is closed operators need it. */
function concerns({ by, thing }: Report, userId: UserId): boolean {
  if (by === userId) return true;
  return (thing.kind === 'event' && thing.sender === userId) || (thing.kind === 'user' && thing.user_id === userId);
}

function withoutNone(counts: Counts): Counts {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}
