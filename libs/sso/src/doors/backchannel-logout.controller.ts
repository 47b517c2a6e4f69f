import { Controller, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ExternalIds } from '#accounts/external-ids';
import { findUpstreamUser } from '#accounts/queries/upstream-sessions';
import { readForm } from '#http/browser/read-form';
import { RateLimited } from '#http/rate-limited';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { UpstreamSessions } from '../admission/upstream-sessions.js';
import { type LoggedOut, ReadLogoutToken } from '../upstream/read-logout-token.js';
import { SSO_PATH } from '../sso-path.js';
import { UpstreamProviders } from '../upstream-providers.js';

/** A provider says that somebody has logged out there (OpenID Connect Back-Channel Logout 1.0): what came of that log-in ends here. */
@Controller(SSO_PATH)
export class BackchannelLogoutController {
  constructor(
    private readonly providers: UpstreamProviders,
    private readonly tokens: ReadLogoutToken,
    private readonly externalIds: ExternalIds,
    private readonly sessions: UpstreamSessions,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /** Whoever is not known here has no session here: that is no error. */
  @RateLimited('default')
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
    const { sidHash } = loggedOut;
    const userId = await this.#userOf(id, loggedOut);
    const of = { provider: id, ...(sidHash === undefined ? {} : { sid_hash: sidHash }) };
    if (userId !== undefined) await this.sessions.end(userId, of);
    return '';
  }

  async #userOf(provider: string, { subject, sidHash }: LoggedOut): Promise<UserId | undefined> {
    if (subject !== undefined) return this.externalIds.find({ provider, subject });
    return sidHash === undefined ? undefined : findUpstreamUser(this.views, provider, sidHash);
  }
}
