import { Controller, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { readForm } from '#http/browser/read-form';
import { RateLimited } from '#http/rate-limited';
import { RateLimits } from '#http/rate-limits';
import { MatrixError } from '#kernel/matrix-error';
import { FindLoggedOut } from '../admission/find-logged-out.js';
import { UpstreamSessions } from '../admission/upstream-sessions.js';
import { ReadLogoutToken } from '../upstream/read-logout-token.js';
import { SSO_PATH } from '../sso-path.js';
import { UpstreamProviders } from '../upstream-providers.js';

/** A provider says that somebody has logged out there (OpenID Connect Back-Channel Logout 1.0): what came of that log-in ends here. */
@Controller(SSO_PATH)
export class BackchannelLogoutController {
  constructor(
    private readonly providers: UpstreamProviders,
    private readonly tokens: ReadLogoutToken,
    private readonly whose: FindLoggedOut,
    private readonly sessions: UpstreamSessions,
    private readonly limits: RateLimits,
  ) {}

  /** Whoever is not known here has no session here: that is no error. A token is taken once, when what it asks for is done: until then it may be shown again. */
  @RateLimited('provider')
  @HttpCode(200)
  @Post('backchannel_logout/:provider')
  async logOut(
    @Param('provider') id: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    void reply.header('cache-control', 'no-store');
    const provider = this.providers.get(id);
    const token = readForm(request).get('logout_token');
    if (token === undefined) throw new MatrixError('M_MISSING_PARAM', 'logout_token: required');
    const loggedOut = await this.tokens.read(provider, token);
    // By who has signed it: from one address there may come those of all.
    this.limits.check('provider', `log-outs at ${id}`);
    const { sidHash } = loggedOut;
    const of = { provider: id, ...(sidHash === undefined ? {} : { sid_hash: sidHash }) };
    for (const userId of await this.whose.find(id, loggedOut)) await this.sessions.end(userId, of);
    await this.tokens.spend(provider, loggedOut);
    return '';
  }
}
