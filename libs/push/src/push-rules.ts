import { Inject, Injectable } from '@nestjs/common';
import { ACCOUNT_LIMITS, limitReached } from '#kernel/account-limits';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import type { CacheNumbers } from '#kernel/lru-cache';
import { userStream } from '#kernel/user-stream';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact } from '#event-store/event-store';
import { VIEWS, type Views } from '#projections/views';
import { READ_MODEL_STORE, type ReadModelStore } from '#read-models/read-model-store';
import { streamSnapshots } from '#read-models/stream-snapshots';
import { draftPushRule, type PushRuleFact } from './facts/push-rule-facts.js';
import { foldPushRuleFact, pushRuleSnapshots } from './rules/fold-push-rules.js';
import { changesFor, NO_CHANGES, type PushRuleChanges } from './rules/push-rule-changes.js';

const CAPACITY = 2_000;

/** The write side of push rules. They live in the user's stream, folded apart from the account. */
@Injectable()
export class PushRules {
  readonly #aggregates: Aggregates<PushRuleChanges>;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenProcessed'>,
    @Inject(READ_MODEL_STORE) readModels: ReadModelStore,
  ) {
    const snapshots = { store: streamSnapshots(readModels, 'push-rules'), codec: pushRuleSnapshots };
    const fold = { initialState: NO_CHANGES, evolve: foldPushRuleFact, snapshots };
    this.#aggregates = new Aggregates({ store, clock, capacity: CAPACITY, ...fold });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#aggregates.numbers;
  }

  /**
   * Appends what `decide` answers to the requester's stream, settles once the views show it, and answers whether it was anything.
   * `profileTag`: of the rules for pushers with that tag. Throws M_USER_LIMIT_EXCEEDED.
   */
  async change(
    requester: Requester,
    decide: (changes: PushRuleChanges, userId: UserId) => readonly PushRuleFact[],
    profileTag?: string,
  ): Promise<boolean> {
    const { position, facts } = await this.#aggregates.execute(
      userStream(requester.userId),
      (changes) => {
        checkTag(changes, profileTag);
        const drafts = decide(changesFor(changes, profileTag), requester.userId).map(({ type, data }) =>
          draftPushRule({
            type,
            data: profileTag === undefined ? data : { ...data, profile_tag: profileTag },
          } as PushRuleFact),
        );
        checkBytes(changes, drafts);
        return drafts;
      },
      { actor: requester.userId, device: requester.deviceId, correlation: requester.requestId },
    );
    if (facts.length > 0) await this.views.whenProcessed(position);
    return facts.length > 0;
  }
}

/** What makes them shorter is always taken. */
function checkBytes(changes: PushRuleChanges, facts: readonly Pick<NewFact, 'type' | 'data'>[]): void {
  const after = facts.reduce(foldPushRuleFact, changes);
  const bytes = Buffer.byteLength(JSON.stringify(after));
  if (bytes <= ACCOUNT_LIMITS['push-rule-bytes'].most || bytes <= Buffer.byteLength(JSON.stringify(changes))) return;
  throw limitReached('push-rule-bytes');
}

function checkTag({ devices = {} }: PushRuleChanges, profileTag: string | undefined): void {
  if (profileTag === undefined || Object.hasOwn(devices, profileTag)) return;
  if (Object.keys(devices).length < ACCOUNT_LIMITS['profile-tags'].most) return;
  throw limitReached('profile-tags');
}
