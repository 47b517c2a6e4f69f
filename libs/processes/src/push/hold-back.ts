import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { findAccountData } from '#accounts/queries/account-data';
import { Presence } from '#ephemeral/presence/presence';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';

/** The account data by which a user says so: `{"hold_back_while_active": true}`. */
export const PUSH_SETTINGS = 'dev.annals.push';

/** What was not read after so long is pushed whatever the user does. */
const MOST_MS = 5 * 60_000;
const LOOK_MS = 2_000;

/**
 * Holds notifications back while their user does something with a device, where they wished so: most are read there, and never pushed.
 * The founding documents: push looks at where a person is active. Off unless the user switches it on.
 */
@Injectable()
export class HoldBack {
  constructor(
    private readonly presence: Presence,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
  ) {}

  /** Settles once the user is not active any more, or has been for too long since a moment. */
  async whileInUse(userId: UserId, since: number, signal: AbortSignal): Promise<void> {
    while (this.presence.find(userId)?.currentlyActive === true) {
      if (this.stopwatch.elapsed() - since > MOST_MS || !(await this.#wants(userId))) return;
      await delay(LOOK_MS, undefined, { signal, ref: false });
    }
  }

  async #wants(userId: UserId): Promise<boolean> {
    const found = await findAccountData(this.views, userId, undefined, PUSH_SETTINGS);
    if (found === undefined) return false;
    return (JSON.parse(found.content) as { hold_back_while_active?: unknown }).hold_back_while_active === true;
  }
}
