import { Injectable } from '@nestjs/common';
import { RateLimits } from '#http/rate-limits';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { RegistrationTokens } from '../registration-tokens.js';
import { PasswordCheck } from '../sessions/password-check.js';
import type { AuthSession, Stage } from './auth-sessions.js';
import { StageFailed } from './interaction-required.js';

/** How each stage is passed (client-server API, "Authentication types"). */
@Injectable()
export class Stages {
  constructor(
    private readonly passwords: PasswordCheck,
    private readonly tokens: RegistrationTokens,
    private readonly limits: RateLimits,
  ) {}

  /**
   * Settles when `auth` passes the stage. Throws StageFailed where another attempt may succeed, and M_FORBIDDEN (403) where
   * somebody shows that they are somebody else than who asks; M_LIMIT_EXCEEDED where a password was tried too often, whatever the door.
   */
  async pass(stage: Stage, auth: JsonObject, session: AuthSession): Promise<void> {
    if (stage === 'm.login.password') await this.#password(auth, session);
    if (stage === 'm.login.registration_token') await this.#registrationToken(auth, session);
  }

  async #password(auth: JsonObject, session: AuthSession): Promise<void> {
    const { userId } = session.operation;
    // Very old clients leave out who they are: the access token says it.
    const named = auth['user'] !== undefined || isJsonObject(auth['identifier']);
    const claim = this.passwords.parseClaim(named ? auth : { ...auth, user: userId });
    if (claim.userId !== userId) throw new MatrixError('M_FORBIDDEN', 'This is not the account that asks');
    this.limits.check('login', `the password of ${userId}`);
    if ((await this.passwords.verify(claim)) === undefined) throw new StageFailed('M_FORBIDDEN', 'Invalid password');
  }

  async #registrationToken(auth: JsonObject, session: AuthSession): Promise<void> {
    const { token } = auth;
    if (typeof token !== 'string') throw new StageFailed('M_MISSING_PARAM', 'token: required');
    if (!(await this.tokens.isUsable(token))) throw new StageFailed('M_FORBIDDEN', 'Invalid registration token');
    session.registrationToken = token;
  }
}
