import { Inject, Injectable } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import { trustedSince } from '#accounts/sessions/trusted-since';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { KeptSignIns } from '../sign-ins.js';

/** For so long other keys may be set, once their user has allowed it. */
const KEY_RESET_MS = 10 * 60 * 1000;

/** Notes that a user lets an application set other cross-signing keys, once. */
@Injectable()
export class AllowKeyReset {
  constructor(
    private readonly accounts: Accounts,
    private readonly signIns: KeptSignIns,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async allow(userId: UserId, requestId: string): Promise<void> {
    const since = trustedSince(await this.accounts.load(userId));
    const allowed = {
      expires_at: this.clock.now() + KEY_RESET_MS,
      ...(since === undefined ? {} : { trusted_since: since }),
    };
    await this.signIns.change(userId, () => [{ type: 'key-reset-allowed', data: allowed }], requestId);
  }
}
