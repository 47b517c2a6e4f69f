import { Inject, Injectable } from '@nestjs/common';
import type { AccountDeactivated, AccountFact } from '#accounts/facts/account-facts';
import { tailLeftOf } from '#accounts/facts/erasable-parts';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';

/** Erases from the log what somebody said of themself and kept, who closed their account and asked for that. */
@Injectable()
export class AccountErasure implements Effect {
  readonly name = 'account-erasure';
  readonly fromStart = true;

  constructor(@Inject(EVENT_STORE) private readonly store: EventStore) {}

  keyOf({ type, stream, data }: RecordedFact): string | undefined {
    if (type !== DEACTIVATED) return undefined;
    return (JSON.parse(data) as AccountDeactivated).erase ? stream : undefined; // written by `decideDeactivation`
  }

  async run({ stream }: RecordedFact): Promise<boolean> {
    let isDone = false;
    for await (const { type, revision, metadata } of this.store.readStream(stream)) {
      const tail = tailLeftOf(type);
      if (tail === undefined || metadata.erasable === undefined || metadata.erased !== undefined) continue;
      await this.store.erase(stream, revision, tail);
      isDone = true;
    }
    return isDone;
  }
}
