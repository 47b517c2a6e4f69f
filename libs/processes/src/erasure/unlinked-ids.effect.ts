import { Inject, Injectable } from '@nestjs/common';
import { ExternalIds } from '#accounts/external-ids';
import { Accounts } from '#accounts/accounts';
import type { AccountFact } from '#accounts/facts/account-facts';
import { tailLeftOf } from '#accounts/facts/erasable-parts';
import type { ExternalIdUnlinked } from '#accounts/facts/login-facts';
import { EXTERNAL_IDS } from '#accounts/projections/external-ids.projector';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';

const UNLINKED: AccountFact['type'] = 'external-id-unlinked';
const TYPES: ReadonlySet<string> = new Set<AccountFact['type']>(['external-id-linked', UNLINKED]);

/** Has the log forget whose an account elsewhere was, once it is that no more. */
@Injectable()
export class UnlinkedIds implements Effect {
  readonly name = 'unlinked-ids';
  readonly fromStart = true;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly accounts: Accounts,
    private readonly externalIds: ExternalIds,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenKept'>,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === UNLINKED ? stream : undefined;
  }

  /** That it was unlinked is erased last: so where this ends on the way, it is known the next time what is left to do. */
  async run({ stream, revision: end, position, data }: RecordedFact): Promise<boolean> {
    const { id_hash: idHash } = JSON.parse(data) as ExternalIdUnlinked; // written by `decideUnlink`
    if (idHash === '') return false;
    const userId = userIdOfStream(stream);
    const { externalIds = [] } = await this.accounts.load(userId);
    const isLinkedAgain = externalIds.some((one) => one.id_hash === idHash);
    if (!isLinkedAgain) await this.externalIds.release(idHash, userId, position);
    for await (const { type, data: earlier, revision, metadata: about } of this.store.readStream(stream)) {
      if (revision > end) break;
      const left = tailLeftOf(type);
      if (!TYPES.has(type) || left === undefined || about.erasable === undefined) continue;
      if ((JSON.parse(earlier) as ExternalIdUnlinked).id_hash !== idHash) continue;
      // By its erased fact no view would find what to remove: not those that have read more by now, and what is filled from here on finds nothing to remove.
      if (revision === end) await this.views.whenKept(position, [EXTERNAL_IDS.name]);
      await this.store.erase(stream, revision, left);
    }
    return true;
  }
}
