import { Inject, Injectable } from '@nestjs/common';
import { checkNotNotices } from '#accounts/check-not-notices';
import type { AccountRow } from '#accounts/projections/accounts.projector';
import { findAccount } from '#accounts/queries/find-account';
import type { Erasure } from '#admin/erasures/erasures';
import { CONFIG, type Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';

/** Whose accounts are there to be erased. */
@Injectable()
export class ErasableAccounts {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'notices'>,
  ) {}

  find(userId: UserId): Promise<AccountRow | undefined> {
    return findAccount(this.views, userId);
  }

  /** Why an erasure is not to be carried out; undefined where it is. Of a list that outlived its log: what was made under the name since is somebody else's. */
  async refuse({ user_id: userId, at, again, made }: Erasure): Promise<string | undefined> {
    try {
      checkNotNotices(userId, this.config);
    } catch (error) {
      if (error instanceof MatrixError) return error.message;
      throw error;
    }
    const account = await this.find(userId);
    if (account === undefined) return 'there is no such account';
    // Clocks are put right: when it was made says which account it is, and whether that was before only where nothing else does.
    const isAnother = made === undefined ? again !== undefined && account.created_ts > at : account.created_ts !== made;
    return isAnother ? 'another account of that name was meant' : undefined;
  }
}
