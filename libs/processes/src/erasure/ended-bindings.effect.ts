import { Injectable } from '@nestjs/common';
import type { AccountFact } from '#accounts/facts/account-facts';
import type { RecordedFact } from '#event-store/event-store';
import { Associations } from '#identity/associations';
import { Bindings } from '#identity/bindings';
import { IdentityAccounts } from '#identity/identity-accounts';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';

/**
 * Has no identity server know anybody as a user whose account has ended, whoever ended it, and also where one was away when they did: it is asked again until it
 * answers. Where this server is one itself it ends also what it was asked for by the user, and not by us for them, and the tokens by which they asked.
 */
@Injectable()
export class EndedBindings implements Effect {
  readonly name = 'ended-bindings';

  constructor(
    private readonly bindings: Bindings,
    private readonly own: Associations,
    private readonly accounts: IdentityAccounts,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === DEACTIVATED ? stream : undefined;
  }

  async run({ stream }: RecordedFact): Promise<boolean> {
    const userId = userIdOfStream(stream);
    // Who has a token could have another one made theirs.
    const hadTokens = await this.accounts.end(userId);
    const hadOwn = await this.own.endAll(userId);
    const wasBound = await this.bindings.endAll(userId);
    return hadTokens || hadOwn || wasBound;
  }
}
