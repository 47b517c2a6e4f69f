import { Inject, Injectable } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import { ExternalIds } from '#accounts/external-ids';
import type { AccountFact } from '#accounts/facts/account-facts';
import { asksForErasure, tailLeftOf } from '#accounts/facts/erasable-parts';
import { Erasures } from '#admin/erasures/erasures';
import { Receipts } from '#ephemeral/commands/receipts';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';
import { READ_MODEL_STORE, type ReadModelStore } from '#read-models/read-model-store';
import { forgetStreamSnapshots } from '#read-models/stream-snapshots';

const REOPENED: AccountFact['type'] = 'account-reopened';
/** PERF: so many share a write, which waits for the disk. */
const AT_ONCE = 100;

/**
 * Erases from the log what somebody said of themself and kept, who closed their account and asked for that: also what they had read, and whose accounts
 * elsewhere are theirs. That it was asked for is noted first, for a log of before that may take the place of this one.
 */
@Injectable()
export class AccountErasure implements Effect {
  readonly name = 'account-erasure';
  readonly fromStart = true;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(READ_MODEL_STORE) private readonly readModels: ReadModelStore,
    private readonly erasures: Erasures,
    private readonly receipts: Receipts,
    private readonly externalIds: ExternalIds,
    private readonly accounts: Accounts,
  ) {}

  keyOf(fact: RecordedFact): string | undefined {
    return asksForErasure(fact) ? fact.stream : undefined;
  }

  /** Also where it ends late, or is done once more, when the account is open again: what it has since is its. */
  async run({ stream, revision: closing, position, metadata: { actor, device } }: RecordedFact): Promise<boolean> {
    const userId = userIdOfStream(stream);
    const cause = { actor, device };
    const { externalIds = [], reopenedAt, closedAt } = await this.accounts.load(userId);
    const isOver = closedAt !== closing;
    let isDone = !isOver && (await this.erasures.noteAccount(userId, reopenedAt));
    // By the hashes that go with the rest.
    for (const { id_hash: idHash } of externalIds)
      if (await this.externalIds.release(idHash, userId, position)) isDone = true;
    if (!isOver && (await this.receipts.end(userId, cause))) isDone = true;
    await forgetStreamSnapshots(this.readModels, stream);
    const tails: (readonly [revision: number, tail: string])[] = [];
    for await (const { type, revision, metadata } of this.store.readStream(stream)) {
      if (type === REOPENED && revision > closing) break;
      const tail = tailLeftOf(type);
      if (tail === undefined || metadata.erasable === undefined || metadata.erased !== undefined) continue;
      tails.push([revision, tail]);
    }
    for (let at = 0; at < tails.length; at += AT_ONCE)
      await Promise.all(
        tails.slice(at, at + AT_ONCE).map(([revision, tail]) => this.store.erase(stream, revision, tail)),
      );
    return isDone || tails.length > 0;
  }
}
