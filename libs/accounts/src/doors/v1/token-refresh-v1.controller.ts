import { Controller, HttpCode, Post, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsString } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { V1 } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { RefreshSession } from '../../commands/refresh-session.js';
import type { IssuedTokens } from '../../sessions/issue-tokens.js';

class TokenRefreshBody {
  @IsString() refresh_token!: string;
}

/**
 * POST /tokenrefresh (client-server API v1 of December 2015, "Registration and Login"): as `/refresh` of today, and for the same tokens. NOTSPEC: that
 * text wants an access token in the query, which is over where somebody comes for another: none is asked for. The one that is handed in holds until the new ones are used, for
 * clients that lost the answer.
 */
@RateLimited('default')
@Controller(`${V1}/tokenrefresh`)
export class TokenRefreshV1Controller {
  constructor(private readonly commands: CommandBus) {}

  @HttpCode(200)
  @Post()
  async refresh(
    @JsonBody(TokenRefreshBody) { refresh_token: token }: TokenRefreshBody,
    @Req() { id }: FastifyRequest,
  ): Promise<IssuedTokens> {
    try {
      return await this.commands.execute(new RefreshSession(token, id));
    } catch (error) {
      // As 2015 has it: M_UNKNOWN_TOKEN was for access tokens.
      if (error instanceof MatrixError && error.errcode === 'M_UNKNOWN_TOKEN')
        throw new MatrixError('M_FORBIDDEN', 'This refresh token is not good, or was used already');
      throw error;
    }
  }
}
