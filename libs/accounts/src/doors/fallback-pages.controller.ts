import { Controller, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TODAY, V1, under } from '#http/client-paths';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import type { AuthSession, Stage } from '../interactive-auth/auth-sessions.js';
import { InteractionRequired } from '../interactive-auth/interaction-required.js';
import { InteractiveAuth } from '../interactive-auth/interactive-auth.js';
import type { HtmlPage } from '../pages/html-page.js';
import { loginPage } from '../pages/login-page.js';
import { isStageWithPage, stageDonePage, stagePage } from '../pages/stage-page.js';

const LOGIN_TODAY = loginPage('/_matrix/client/v3/login');
const LOGIN_V1 = loginPage(`/${V1}/login`);
const STAGE_PATHS = under(TODAY, 'auth/:stage/fallback/web');

function show(reply: FastifyReply, page: HtmlPage): string {
  void reply
    .header('content-security-policy', page.contentSecurityPolicy)
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer')
    .type('text/html; charset=utf-8');
  return page.html;
}

/** Pages for clients that do not know how to log in here (client-server API, "Fallback"; 2015: "Fallback"). */
@Controller()
export class FallbackPagesController {
  constructor(private readonly auth: InteractiveAuth) {}

  @Get('_matrix/static/client/login')
  login(@Res({ passthrough: true }) reply: FastifyReply): string {
    return show(reply, LOGIN_TODAY);
  }

  @Get(`${V1}/login/fallback`)
  loginV1(@Res({ passthrough: true }) reply: FastifyReply): string {
    return show(reply, LOGIN_V1);
  }

  @Get(STAGE_PATHS)
  stage(
    @Param('stage') stage: string,
    @Query() query: QueryOfUrl,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): string {
    const { session, name } = this.#find(stage, query);
    return show(reply, session.completed.includes(name) ? stageDonePage() : stagePage(name));
  }

  @RateLimited('login')
  @HttpCode(200)
  @Post(STAGE_PATHS)
  async complete(
    @Param('stage') stage: string,
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const { session, name } = this.#find(stage, query);
    const form = new URLSearchParams(Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '');
    try {
      await this.auth.completeOnPage(session, name, Object.fromEntries(form));
    } catch (error) {
      if (!(error instanceof InteractionRequired)) throw error;
      return show(reply, stagePage(name, error.message));
    }
    return show(reply, stageDonePage());
  }

  #find(stage: string, query: QueryOfUrl): { session: AuthSession; name: Stage } {
    if (!isStageWithPage(stage)) throw new MatrixError('M_UNRECOGNIZED', 'There is no page for this stage');
    return { session: this.auth.getSession(requiredText(query, 'session')), name: stage };
  }
}
