import { Inject, Injectable } from '@nestjs/common';
import type { AccountFact } from '#accounts/facts/account-facts';
import type { RecordedFact } from '#event-store/event-store';
import { Associations } from '#identity/associations/associations';
import { IdentityAccounts } from '#identity/identity-accounts';
import { ASSOCIATIONS } from '#identity/projections/identity.projector';
import { userIdOfStream } from '#kernel/user-stream';
import { whenShown } from '#projections/await-shown';
import type { Effect, Stands } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';

/**
 * Ends what the identity server that this one is knows of somebody whose account is closed, and has the log forget what they said to it. Apart from who ends what identity servers
 * know of them (`EndedBindings`), since it may wait for the views for long: what is theirs only these tell, and those that are paused do not tell all.
 */
@Injectable()
export class EndedIdentityAccounts implements Effect {
  readonly name = 'ended-identity-accounts';
  readonly fromStart = true;

  constructor(
    private readonly accounts: IdentityAccounts,
    private readonly own: Associations,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenMoved'>,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === DEACTIVATED ? stream : undefined;
  }

  /** What is not over would stay: so tokens are ended here, too, whoever of the two is first, and before all else: who has one could have another address made theirs. */
  async run({ stream, position }: RecordedFact, stands: Stands): Promise<boolean> {
    const userId = userIdOfStream(stream);
    const hadAny = await this.accounts.end(userId);
    await whenShown(this.views, [ASSOCIATIONS.name], { head: async () => position });
    if (!(await stands())) return hadAny;
    const hadOwn = await this.own.endAll(userId);
    await this.accounts.forgetEnded(userId);
    return hadAny || hadOwn;
  }
}
