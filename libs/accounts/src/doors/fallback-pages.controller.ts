import { Controller, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TODAY, under } from '#http/client-paths';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import type { AuthSession, Purpose } from '../interactive-auth/auth-sessions.js';
import { InteractiveAuth } from '../interactive-auth/interactive-auth.js';
import { showPage } from '#http/pages/show-page';
import { showView } from '../pages/show-view.js';
import type { Stage } from '../interactive-auth/stage.js';
import { StageRegistry } from '../interactive-auth/stage-registry.js';
import { stageDonePage, stageOverPage } from '../pages/stage-page.js';

/** What stages are gone through for that say whose account it is. */
const SHOWS_WHO: ReadonlySet<Purpose> = new Set<Purpose>(['login', 'recovery']);

const STAGE_PATHS = under(TODAY, 'auth/:stage/fallback/web');

/** Pages of single stages, for clients that do not know them (client-server API, "Fallback"). */
@RateLimited('default')
@Controller()
export class FallbackPagesController {
  constructor(
    private readonly auth: InteractiveAuth,
    private readonly stages: StageRegistry,
  ) {}

  @Get(STAGE_PATHS)
  async stage(
    @Param('stage') type: string,
    @Query() query: QueryOfUrl,
    @Req() { url: path }: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const found = await this.#find(type, query);
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
    const found = await this.#find(type, query);
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

  /** Undefined where the session is over, or is none for these pages. Throws M_UNRECOGNIZED for a stage that has no page. */
  async #find(type: string, query: QueryOfUrl): Promise<{ session: AuthSession; stage: Stage } | undefined> {
    const stage = this.stages.find(type);
    if (stage === undefined) throw new MatrixError('M_UNRECOGNIZED', 'There is no page for this stage');
    const session = await this.auth.findSession(requiredText(query, 'session'));
    if (session === undefined) return undefined;
    const { purpose, isOfBrowser } = session.operation;
    // These pages are for whoever opens a link. What shows who somebody is where nobody is logged in, or is gone through in one browser, would be passed by one person, and
    // gone on with by the one who sent the link: they would be logged in, or choose the password.
    if (SHOWS_WHO.has(purpose) || isOfBrowser === true) return undefined;
    // What is not configured has nothing to show, and what nobody is asked for leads nowhere.
    if (!session.operation.flows.some((flow) => flow.includes(type))) {
      throw new MatrixError('M_UNRECOGNIZED', 'This is no stage of this session');
    }
    return { session, stage };
  }
}
