import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { readStoredInviteFact, type StoredInviteFact } from '#identity/facts/stored-invite-facts';
import { STORED_INVITES } from '#identity/projections/stored-invites.projector';
import type { Effect } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';

const STORED = 'invite-stored' satisfies StoredInviteFact['type'];
const ENDED = 'invite-ended' satisfies StoredInviteFact['type'];

/**
 * Has the log forget invitations by address that are over: what the stream of the address begins with goes as far as it is of such alone, for it says whose the address
 * was. Apart from who sends the messages, since it may wait for the views for long.
 */
@Injectable()
export class OverInvitations implements Effect {
  readonly name = 'over-invitations';
  readonly fromStart = true;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenKept'>,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === ENDED ? stream : undefined;
  }

  async run(end: RecordedFact): Promise<boolean> {
    /** Where those that are not over begin. */
    const open = new Map<string, number>();
    let first: number | undefined;
    for await (const fact of this.store.readStream(end.stream)) {
      if (fact.revision > end.revision) break;
      first ??= fact.revision;
      const { type, data } = readStoredInviteFact(fact);
      if (type === STORED) open.set(data.token, fact.revision);
      if (type === ENDED) open.delete(data.token);
    }
    const from = Math.min(end.revision, ...open.values());
    if (first === undefined || first >= from) return false;
    // Views that have not come by it would keep the rows of what is over.
    await this.views.whenKept(end.position, [STORED_INVITES.name]);
    await this.store.truncate(end.stream, from);
    return true;
  }
}
