import { Injectable } from '@nestjs/common';
import type { UserId } from '#kernel/ids';
import type { OwnAddresses } from '#push/digests/own-addresses';
import { Accounts } from '../accounts.js';

/** Tells pushers which mail addresses an account has: all of them were shown to be its owner's, or an operator vouches for them. */
@Injectable()
export class OwnMailAddresses implements OwnAddresses {
  constructor(private readonly accounts: Accounts) {}

  async list(userId: UserId): Promise<readonly string[]> {
    const { deactivated, threepids } = await this.accounts.load(userId);
    if (deactivated) return [];
    return [...threepids.values()].filter(({ medium }) => medium === 'email').map(({ address }) => address);
  }
}
