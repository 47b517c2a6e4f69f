import { Injectable } from '@nestjs/common';
import type { Cause } from '#event-store/aggregates';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';
import { Accounts, type Change, type DecideAccount } from './accounts.js';
import type { Account } from './decide/account.js';
import { ExternalIds } from './external-ids.js';
import type { ExternalId } from './facts/external-id-facts.js';
import type { Threepid } from './threepids/threepid.js';
import { ThreepidClaims } from './threepids/threepid-claims.js';

/** What is claimed together. */
interface Claimed {
  readonly threepids: readonly Threepid[];
  readonly externalIds?: readonly ExternalId[];
}

/** What an account is to have that only one may have: it is claimed in streams of its own, before the account says that it has it. */
@Injectable()
export class OutsideClaims {
  constructor(
    private readonly accounts: Accounts,
    private readonly addresses: ThreepidClaims,
    private readonly externalIds: ExternalIds,
  ) {}

  /**
   * Claims for the account all that `findNew` answers of it, then has it be what `decide` says: see `Accounts.changeWithClaims`. Where that is refused the addresses are free
   * again; a claim of an account elsewhere says nothing by itself. Throws M_THREEPID_IN_USE, as `ExternalIds.claim`, and what `decide` throws.
   */
  async change(
    userId: UserId,
    findNew: (account: Account) => Claimed,
    decide: DecideAccount,
    cause: Cause,
  ): Promise<Change> {
    const claimed: (readonly [Threepid, Position])[] = [];
    const claim = async (account: Account): Promise<void> => {
      const { threepids, externalIds = [] } = findNew(account);
      for (const threepid of threepids) {
        const position = await this.addresses.claim(threepid, userId);
        if (position !== undefined) claimed.push([threepid, position]);
      }
      for (const id of externalIds) await this.externalIds.claim(id, userId, cause);
    };
    try {
      return await this.accounts.changeWithClaims(userId, claim, decide, cause);
    } catch (error) {
      // After any other error the account may have them; where it does not, they are free for who wants them next.
      if (error instanceof MatrixError)
        for (const [threepid, position] of claimed) await this.addresses.release(threepid, userId, position);
      throw error;
    }
  }

  /** Of what the account lost at a position of the log: as `ThreepidClaims.release`. */
  async release(threepids: readonly Threepid[], userId: UserId, lostAt: Position): Promise<void> {
    for (const threepid of threepids) await this.addresses.release(threepid, userId, lostAt);
  }
}
