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
    /** Where, in turns, what ends some begins, and what is stored behind it. */
    const turns: number[] = [];
    let first: number | undefined;
    for await (const fact of this.store.readStream(end.stream)) {
      if (fact.revision > end.revision) break;
      first ??= fact.revision;
      const { type, data } = readStoredInviteFact(fact);
      if (type === STORED) open.set(data.token, fact.revision);
      if (type === ENDED) open.delete(data.token);
      if (type === (turns.length % 2 === 0 ? ENDED : STORED)) turns.push(fact.revision);
    }
    const from = Math.min(end.revision, ...open.values());
    if (first === undefined || first >= from) return false;
    for (const [turn, before] of [...turns.filter((revision) => revision < from), from].entries()) {
      // Views that have not come by what ended them would keep the rows of what is over: not those that have read more by now, and what is filled from here on finds
      // nothing to end, for what was stored goes first.
      if (turn % 2 === 1) await this.views.whenKept(end.position, [STORED_INVITES.name]);
      await this.store.truncate(end.stream, before);
    }
    return true;
  }
}
