import { Inject, Injectable, Optional } from '@nestjs/common';
import { isUnerasable } from '#accounts/facts/erasable-parts';
import type { Counts } from '#admin/facts/erasure-facts';
import { listReports, type Report } from '#admin/reports/reports';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { userStream } from '#kernel/user-stream';
import { MediaOfUser } from '#media/media-of-user';
import { PersonalData } from '#personal-data/personal-data';

/** What this server keeps of a user besides what they said in rooms. */
@Injectable()
export class KeptOfUser {
  constructor(
    private readonly data: PersonalData,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Optional() private readonly media?: MediaOfUser,
  ) {}

  /** What goes with the account where that is erased, by kind; media by themselves, for some may be in quarantine. */
  async count(userId: UserId): Promise<Counts> {
    const counts: Record<string, number> = { media: (await this.media?.count(userId))?.media ?? 0 };
    for (const kind of this.data.all) {
      if (!kind.isCountedAsErased) continue;
      let there = 0;
      for await (const _ of kind.read(userId)) there++;
      counts[kind.name] = there;
    }
    return withoutNone(counts);
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

  /** Deletes what they uploaded, as `MediaOfUser.delete`. */
  async deleteMedia(userId: UserId, goesOn: () => Promise<boolean>): Promise<void> {
    await this.media?.delete(userId, goesOn);
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
