import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Cause } from '#event-store/aggregates';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { decideThreepid } from '../decide/decide-threepids.js';
import { OutsideClaims } from '../outside-claims.js';
import type { Threepid } from '../threepids/threepid.js';

/**
 * Adds to an account an identifier that was shown to be its owner's, or that an operator vouches for. Nothing where it has it. Throws
 * M_THREEPID_IN_USE where another account has it, and as `decideThreepid`.
 */
export class AddThreepid extends Command<void> {
  constructor(
    readonly userId: UserId,
    readonly threepid: Threepid,
    readonly validatedAt: number,
    readonly cause: Cause,
  ) {
    super();
  }
}

@CommandHandler(AddThreepid)
export class AddThreepidHandler implements ICommandHandler<AddThreepid> {
  constructor(
    private readonly claims: OutsideClaims,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ userId, threepid, validatedAt, cause }: AddThreepid): Promise<void> {
    const now = this.clock.now();
    const findNew = () => ({ threepids: [threepid] });
    await this.claims.change(userId, findNew, (account) => decideThreepid(account, threepid, validatedAt, now), cause);
  }
}
