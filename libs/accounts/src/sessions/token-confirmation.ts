import { Injectable } from '@nestjs/common';
import type { DeviceId, UserId } from '#kernel/ids';
import { Accounts } from '../accounts.js';
import { decideConfirmation } from '../decide/decide-sessions.js';

/** Notes that a client holds what a refresh gave it, so that the tokens before it are void. */
@Injectable()
export class TokenConfirmation {
  constructor(private readonly accounts: Accounts) {}

  /** Nothing happens where the token is confirmed already or no more the device's current one. */
  async confirm(userId: UserId, deviceId: DeviceId, tokenHash: string): Promise<void> {
    await this.accounts.change(userId, (account) => decideConfirmation(account, deviceId, tokenHash), {
      actor: userId,
      device: deviceId,
    });
  }
}
