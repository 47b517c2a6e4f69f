import { Inject, Injectable } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import { CONFIG, type Config } from '#config/config';
import { type DeviceId, parseUserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';

/** What a user is at a time. */
type Account = Awaited<ReturnType<Accounts['load']>>;

/** The users of whom an authentication service speaks, by their localparts. What it does with them it does as they would, on no device. */
@Injectable()
export class MasUsers {
  constructor(
    private readonly accounts: Accounts,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** Whether there is one or not. Throws M_INVALID_PARAM. */
  named(localpart: string, requestId: string): Requester {
    const userId = parseUserId(`@${localpart}:${this.config.serverName}`, this.config.serverName);
    return { userId, deviceId: '' as DeviceId, isAdmin: false, requestId };
  }

  /** One that there is, or was. Throws M_NOT_FOUND. */
  async get(
    localpart: string,
    requestId: string,
  ): Promise<{ readonly requester: Requester; readonly account: Account }> {
    const requester = this.named(localpart, requestId);
    const account = await this.accounts.load(requester.userId);
    if (!account.exists) throw new MatrixError('M_NOT_FOUND', 'No such user');
    return { requester, account };
  }
}
