import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { closingGivenUp, stillClosing } from '#kernel/still-closing';
import { userStream } from '#kernel/user-stream';
import { WHAT_FOLLOWS, type WhatFollows } from '#projections/effects/what-follows';
import type { Account } from './decide/account.js';
import { ERASED_ACCOUNTS, type ErasedAccounts } from './erased-accounts.js';

const WAITS_MS = 10_000;
const LOOK_EVERY_MS = 100;

/**
 * Whether a closed account can be opened again. All that follows from how it was closed is done before that, and noted as done, so that no process does any of it later, to
 * somebody who is there again: rooms are left, media deleted, content erased.
 */
@Injectable()
export class Reopening {
  constructor(
    @Inject(EVENT_STORE) private readonly store: Pick<EventStore, 'readStream'>,
    @Optional() @Inject(WHAT_FOLLOWS) private readonly follows?: WhatFollows,
    @Optional() @Inject(ERASED_ACCOUNTS) private readonly erased?: ErasedAccounts,
  ) {}

  /**
   * Waits for it, ten seconds at most. Throws M_UNKNOWN with status 503 where it is not done by then, M_BAD_STATE where some of it was given up, so that none of it comes by
   * waiting, and as `ErasedAccounts.checkReopening`.
   */
  async prepare(userId: UserId, { closedAt }: Account): Promise<void> {
    await this.erased?.checkReopening(userId);
    const closing = closedAt === undefined ? undefined : await this.#factAt(userId, closedAt);
    if (closing === undefined || this.follows === undefined) return;
    for (const start = performance.now(); ; await delay(LOOK_EVERY_MS)) {
      const state = await this.follows.stateOf(closing);
      if (state === 'done') return;
      if (state === 'given-up') throw closingGivenUp();
      if (performance.now() - start > WAITS_MS) throw stillClosing();
    }
  }

  async #factAt(userId: UserId, revision: number): Promise<RecordedFact | undefined> {
    for await (const fact of this.store.readStream(userStream(userId), { from: revision, limit: 1 })) return fact;
    return undefined;
  }
}
