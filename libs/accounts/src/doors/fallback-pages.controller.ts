import { Controller, Get, HttpCode, Param, Post, Query, Req, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TODAY, under } from '#http/client-paths';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { ErrorPageFilter } from '#http/pages/error-page.filter';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { InteractiveAuth } from '../interactive-auth/interactive-auth.js';
import { LinkedStages } from '../interactive-auth/linked-stages.js';
import { showPage } from '#http/pages/show-page';
import { showView } from '../pages/show-view.js';
import { stageDonePage, stageOverPage } from '../pages/stage-page.js';

const STAGE_PATHS = under(TODAY, 'auth/:stage/fallback/web');

/** Pages of single stages, for clients that do not know them (client-server API, "Fallback"). */
@RateLimited('default')
@UseFilters(ErrorPageFilter)
@Controller()
export class FallbackPagesController {
  constructor(
    private readonly auth: InteractiveAuth,
    private readonly linked: LinkedStages,
  ) {}

  @Get(STAGE_PATHS)
  async stage(
    @Param('stage') type: string,
    @Query() query: QueryOfUrl,
    @Req() { url: path }: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const found = await this.linked.find(type, requiredText(query, 'session'));
    if (found === undefined) return showPage(reply, stageOverPage(), 404);
    const { session, stage } = found;
    if (session.completed.includes(type)) return showPage(reply, stageDonePage());
    return showView(reply, await stage.view({ session, path }));
  }

  @RateLimited('login')
  @HttpCode(200)
  @Post(STAGE_PATHS)
  async complete(
    @Param('stage') type: string,
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const found = await this.linked.find(type, requiredText(query, 'session'));
    if (found === undefined) return showPage(reply, stageOverPage(), 404);
    const { session, stage } = found;
    const context = { session, path: request.url };
    const form = new URLSearchParams(Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '');
    try {
      const begun = await this.auth.completeOnPage(session, type, Object.fromEntries(form), request);
      if (begun === undefined) return showPage(reply, stageDonePage());
      return showView(reply, await stage.view({ ...context, begun }));
    } catch (error) {
      // To who sits before a page it is all the same which kind of refusal it is.
      if (!(error instanceof MatrixError) || error.status >= 500) throw error;
      return showView(reply, await stage.view({ ...context, problem: error.message }));
    }
  }
}
