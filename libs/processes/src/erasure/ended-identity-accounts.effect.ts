import { Injectable } from '@nestjs/common';
import type { AccountFact } from '#accounts/facts/account-facts';
import type { RecordedFact } from '#event-store/event-store';
import { IdentityAccounts } from '#identity/identity-accounts';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';

/**
 * Has the log forget what somebody whose account is closed said to the identity server that this one is. Apart from who ends what identity servers know of them
 * (`EndedBindings`), since it may wait for the views for long.
 */
@Injectable()
export class EndedIdentityAccounts implements Effect {
  readonly name = 'ended-identity-accounts';
  readonly fromStart = true;

  constructor(private readonly accounts: IdentityAccounts) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === DEACTIVATED ? stream : undefined;
  }

  /** What is not over would stay: so it is ended here, too, whoever of the two is first. */
  async run({ stream }: RecordedFact): Promise<boolean> {
    const userId = userIdOfStream(stream);
    const wasAny = await this.accounts.end(userId);
    await this.accounts.forgetEnded(userId);
    return wasAny;
  }
}
