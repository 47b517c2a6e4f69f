import { Controller, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { EndUpstreamSessions } from '#accounts/commands/end-upstream-sessions';
import { ExternalIds } from '#accounts/external-ids';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { ReadLogoutToken } from '../upstream/read-logout-token.js';
import { SSO_PATH } from '../sso-path.js';
import { UpstreamProviders } from '../upstream-providers.js';

/** A provider says that somebody has logged out there (OpenID Connect Back-Channel Logout 1.0): the sessions that came of that end here. */
@Controller(SSO_PATH)
export class BackchannelLogoutController {
  constructor(
    private readonly providers: UpstreamProviders,
    private readonly tokens: ReadLogoutToken,
    private readonly externalIds: ExternalIds,
    private readonly commands: CommandBus,
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
    const form = new URLSearchParams(Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '');
    const token = form.get('logout_token');
    if (token === null) throw new MatrixError('M_MISSING_PARAM', 'logout_token: required');
    const { subject, sidHash } = await this.tokens.read(provider, token);
    const userId = await this.externalIds.find({ provider: id, subject });
    const of = { provider: id, ...(sidHash === undefined ? {} : { sid_hash: sidHash }) };
    if (userId !== undefined) await this.commands.execute(new EndUpstreamSessions(userId, of));
    return '';
  }
}
