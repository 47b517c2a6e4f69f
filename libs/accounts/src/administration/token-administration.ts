import type { CommandBus } from '@nestjs/cqrs';
import { BY_SERVER } from '../accounts.js';
import { ChangeRegistrationToken } from '../commands/change-registration-token.js';
import { CreateRegistrationToken } from '../commands/create-registration-token.js';
import type { LimitChange, TokenLimits } from '../facts/registration-token-facts.js';

/**
 * What the operator of the server does with the tokens by which people register, through the same commands as administrators. A token is
 * named by its text, or `sha256-` and its hash. Throws what the commands throw.
 */
export class TokenAdministration {
  constructor(private readonly commands: Pick<CommandBus, 'execute'>) {}

  /** A new token, or one made up; the log keeps its text, so that it is listed. Answers it. */
  create(token: string | undefined, limits: TokenLimits): Promise<string> {
    return this.commands.execute(new CreateRegistrationToken(limits, BY_SERVER, token, true));
  }

  async change(name: string, change: LimitChange): Promise<string> {
    await this.commands.execute(new ChangeRegistrationToken(name, change, BY_SERVER));
    return name;
  }

  /** Withdraws a token; one that was withdrawn before stays so. */
  async revoke(name: string): Promise<string> {
    await this.commands.execute(new ChangeRegistrationToken(name, 'revoke', BY_SERVER));
    return name;
  }
}
