import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { findAccountData } from '#accounts/queries/account-data';
import { Presence } from '#ephemeral/presence/presence';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';

/** The account data by which a user says so: `{"hold_back_while_active": true}`. */
const PUSH_SETTINGS = 'dev.annals.push';

/** What was not read after so long is pushed whatever the user does. */
const MOST_MS = 5 * 60_000;
const LOOK_MS = 2_000;

/**
 * Holds notifications of events back while their user does something with a device, where they wished so: most are read there, and never
 * pushed. The founding documents: push looks at where a person is active. Off unless the user switches it on. By the presence that this
 * process knows of: where that is off, or of who hides, nothing is held back; another process is heard of by what its users write and read.
 */
@Injectable()
export class HoldBack {
  constructor(
    private readonly presence: Presence,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
  ) {}

  /** Whether what was to be told first at a moment waits: the user is active, and not for too long since then. */
  async isInUse(userId: UserId, since: number): Promise<boolean> {
    if (this.presence.find(userId)?.currentlyActive !== true) return false;
    return this.stopwatch.elapsed() - since <= MOST_MS && this.#wants(userId);
  }

  /** Waits until it is time to look again. */
  async wait(signal: AbortSignal): Promise<void> {
    await delay(LOOK_MS, undefined, { signal, ref: false });
  }

  async #wants(userId: UserId): Promise<boolean> {
    const found = await findAccountData(this.views, userId, undefined, PUSH_SETTINGS);
    if (found === undefined) return false;
    return (JSON.parse(found.content) as { hold_back_while_active?: unknown }).hold_back_while_active === true;
  }
}
