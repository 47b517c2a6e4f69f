import { Inject, Injectable } from '@nestjs/common';
import type { AccountFact } from '#accounts/facts/account-facts';
import type { ThreepidAdded, ThreepidFact, ThreepidRemoved } from '#accounts/facts/threepid-facts';
import { tailLeftOf } from '#accounts/facts/erasable-parts';
import { THREEPIDS } from '#accounts/projections/threepids.projector';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';

const REMOVED: AccountFact['type'] = 'threepid-removed';
const RELEASED: ThreepidFact['type'] = 'threepid-released';
const TYPES: ReadonlySet<string> = new Set<AccountFact['type']>(['threepid-added', REMOVED]);

/**
 * Erases an address from the log once its account has it no more: whoever unlinks one wants it forgotten. So is whose it was, which the stream of the
 * address said: whoever has the key of such names could guess it.
 */
@Injectable()
export class RemovedThreepids implements Effect {
  readonly name = 'removed-threepids';
  readonly fromStart = true;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenKept'>,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === REMOVED || type === RELEASED ? stream : undefined;
  }

  /** That it was removed is erased last: so where this ends on the way, it is known the next time what is left to do. */
  async run(removal: RecordedFact): Promise<boolean> {
    const { stream } = removal;
    if (removal.type === RELEASED) {
      await this.store.truncate(stream, removal.revision);
      return removal.revision > 0;
    }
    const { medium, address } = JSON.parse(removal.data) as ThreepidRemoved; // written by `decideThreepidRemoval`
    const tail = tailLeftOf(REMOVED);
    if (address === undefined || tail === undefined) return false;
    for await (const { type, data, revision } of this.store.readStream(stream)) {
      if (revision >= removal.revision) break;
      const left = tailLeftOf(type);
      if (!TYPES.has(type) || left === undefined) continue;
      const earlier = JSON.parse(data) as ThreepidAdded;
      if (earlier.medium === medium && earlier.address === address) await this.store.erase(stream, revision, left);
    }
    // By its erased fact no view would find what to remove: not those that have read more by now, and what is filled from here on finds nothing to remove.
    await this.views.whenKept(removal.position, [THREEPIDS.name]);
    await this.store.erase(stream, removal.revision, tail);
    return true;
  }
}
