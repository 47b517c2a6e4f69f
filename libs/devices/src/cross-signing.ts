import { Inject, Injectable } from '@nestjs/common';
import { causeOf } from '#accounts/accounts';
import type { TakenDeviceIds } from '#accounts/taken-device-ids';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type ExpectedRevision } from '#event-store/event-store';
import { draftOf } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { DeviceId, UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { Requester } from '#kernel/requester';
import { userStream } from '#kernel/user-stream';
import { VIEWS, type Views } from '#projections/views';
import { READ_MODEL_STORE, type ReadModelStore } from '#read-models/read-model-store';
import { streamSnapshots } from '#read-models/stream-snapshots';
import {
  crossSigningSnapshots,
  foldCrossSigningFact,
  NO_CROSS_SIGNING,
  publicKeyOf,
} from './decide/cross-signing-keys.js';
import type { CrossSigningFact, CrossSigningKeys } from './facts/cross-signing-facts.js';
import { CROSS_SIGNING_KEYS } from './projections/cross-signing.projector.js';

const CAPACITY = 2_000;

/** The write side of cross-signing: in the user's stream, folded apart from the account. */
@Injectable()
export class CrossSigning implements TakenDeviceIds {
  readonly #aggregates: Aggregates<CrossSigningKeys>;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenProcessed'>,
    @Inject(READ_MODEL_STORE) readModels: ReadModelStore,
  ) {
    const snapshots = {
      store: streamSnapshots(readModels, 'cross-signing'),
      codec: crossSigningSnapshots,
    };
    const fold = {
      initialState: NO_CROSS_SIGNING,
      evolve: foldCrossSigningFact,
      snapshots,
    };
    this.#aggregates = new Aggregates({
      store,
      clock,
      capacity: CAPACITY,
      ...fold,
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#aggregates.numbers;
  }

  async look(userId: UserId, deviceId: DeviceId): ReturnType<TakenDeviceIds['look']> {
    const { state, revision } = await this.#aggregates.load(userStream(userId));
    return { isTaken: Object.values(state).some((key) => publicKeyOf(key) === deviceId), revision };
  }

  /** Appends what `decide` answers to the requester's stream, and settles once the views show it. Throws what `decide` throws. */
  async change(
    requester: Requester,
    decide: (keys: CrossSigningKeys, revision: ExpectedRevision) => readonly CrossSigningFact[],
  ): Promise<void> {
    const { position, facts } = await this.#aggregates.execute(
      userStream(requester.userId),
      (keys, _exists, revision) => decide(keys, revision).map(draftOf),
      causeOf(requester),
    );
    if (facts.length > 0) await this.views.whenProcessed(position, [CROSS_SIGNING_KEYS.name]);
  }
}
