import { Inject, Injectable } from '@nestjs/common';
import type { AccountFact } from '#accounts/facts/account-facts';
import type { RecordedFact } from '#event-store/event-store';
import { EndBindings } from '#identity/client/end-bindings';
import { IdentityAccounts } from '#identity/identity-accounts';
import { userIdOfStream } from '#kernel/user-stream';
import { LOGGER, type Logger } from '#observability/logger';
import type { Effect } from '#projections/effects/effect';
import { RetryingEffect } from '#projections/effects/retrying-effect';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';

/**
 * Has no identity server know anybody as a user whose account has ended, whoever ended it. One that is away is asked again for as long as that lasts, in five minutes
 * first and at last each hour, also by the next process: no dead letter. Where this server is one itself it ends the tokens by which they asked it; what else it knows of them
 * `EndedIdentityAccounts` ends.
 */
@Injectable()
export class EndedBindings extends RetryingEffect implements Effect {
  readonly name = 'ended-bindings';

  constructor(
    private readonly bindings: EndBindings,
    private readonly accounts: IdentityAccounts,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    super();
  }

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === DEACTIVATED ? stream : undefined;
  }

  async run({ stream }: RecordedFact): Promise<boolean> {
    const userId = userIdOfStream(stream);
    // Who has a token could have another one made theirs.
    const hadTokens = await this.accounts.end(userId);
    const bound = await this.bindings.endOf(userId);
    if (bound === 'later') this.tryLater();
    return hadTokens || bound !== 'nothing';
  }

  protected tryAgain(isStopped: () => boolean): Promise<boolean> {
    return this.bindings.endDue(isStopped);
  }

  protected failed(err: unknown): void {
    this.logger.warn({ context: this.name, err }, 'what identity servers know of closed accounts was not ended');
  }
}
