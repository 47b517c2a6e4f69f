import type { AccessTokens } from './access-tokens.js';

/** The session that a request came with: to be asked again by what takes long to answer, for it may have ended meanwhile. */
export class OpenSession {
  constructor(
    private readonly tokens: Pick<AccessTokens, 'validUntil'>,
    private readonly token: string,
  ) {}

  /**
   * When the session ends by itself, in milliseconds since the epoch, or Infinity. Throws M_UNKNOWN_TOKEN where it has ended, M_USER_LOCKED where nobody
   * may use the account any more.
   * Asked once an answer is made, it speaks for all that is in the answer: what was sent after the end of the session is not.
   */
  validUntil(): Promise<number> {
    return this.tokens.validUntil(this.token);
  }
}
