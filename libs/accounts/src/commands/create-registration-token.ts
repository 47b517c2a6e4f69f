import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Cause } from '#event-store/aggregates';
import { MatrixError } from '#kernel/matrix-error';
import { newRegistrationToken } from '../credentials/secrets.js';
import type { RegistrationTokenCreated } from '../facts/registration-token-facts.js';
import { RegistrationTokens } from '../registration-tokens.js';

const OPAQUE_IDENTIFIER = /^[0-9A-Za-z._~-]{1,64}$/;

/**
 * Makes a registration token valid and answers it: `token`, or one made up where that is undefined. The log has only its
 * hash, so this answer is the last that is seen of it; unless it is kept, for operators to be shown it. Throws M_INVALID_PARAM.
 */
export class CreateRegistrationToken extends Command<string> {
  constructor(
    readonly creation: RegistrationTokenCreated,
    readonly cause: Cause,
    readonly token?: string,
    readonly isKept = false,
  ) {
    super();
  }
}

@CommandHandler(CreateRegistrationToken)
export class CreateRegistrationTokenHandler implements ICommandHandler<CreateRegistrationToken> {
  constructor(private readonly tokens: RegistrationTokens) {}

  async execute({ creation, cause, token = newRegistrationToken(), isKept }: CreateRegistrationToken): Promise<string> {
    if (!OPAQUE_IDENTIFIER.test(token)) {
      throw new MatrixError('M_INVALID_PARAM', "A registration token has 1 to 64 letters, digits and '._~-'");
    }
    await this.tokens.create(token, isKept ? { ...creation, token } : creation, cause);
    return token;
  }
}
