import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Cause } from '#event-store/aggregates';
import type { LimitChange } from '../facts/registration-token-facts.js';
import { hashOfTokenName } from '../queries/registration-tokens.js';
import { RegistrationTokens } from '../registration-tokens.js';

/**
 * Gives a registration token, by its text or `sha256-` and its hash, other limits, or withdraws it ('revoke'). Throws M_NOT_FOUND, M_INVALID_PARAM.
 */
export class ChangeRegistrationToken extends Command<void> {
  constructor(
    readonly name: string,
    readonly change: 'revoke' | LimitChange,
    readonly cause: Cause,
  ) {
    super();
  }
}

@CommandHandler(ChangeRegistrationToken)
export class ChangeRegistrationTokenHandler implements ICommandHandler<ChangeRegistrationToken> {
  constructor(private readonly tokens: RegistrationTokens) {}

  async execute({ name, change, cause }: ChangeRegistrationToken): Promise<void> {
    const hash = hashOfTokenName(name);
    if (change === 'revoke') await this.tokens.revoke(hash, cause);
    else await this.tokens.change(hash, change, cause);
  }
}
