import { Controller, Get, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AuthSession } from '#accounts/interactive-auth/auth-sessions';
import { type Query as QueryOfUrl, queryText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { Browsers } from '../browser/browsers.js';
import { readNewPassword } from '../browser/read-new-password.js';
import { SignInWays } from '../browser/sign-in-ways.js';
import { SignUps } from '../browser/sign-ups.js';
import { OAuthIsOn } from '../oauth-is-on.js';
import { ownPage, PAGES } from '../oauth-paths.js';
import { sendOn, showPage } from '#http/pages/show-page';
import { signUpPage } from '../pages/sign-in-page.js';
import { PageErrorFilter } from './page-error.filter.js';

/**
 * Where people get an account with a browser: through the stages that a registration has here, each on its page, then a name and a
 * password (client-server API, "User registration").
 */
@UseGuards(OAuthIsOn)
@UseFilters(PageErrorFilter)
@Controller(PAGES.signUp)
export class SignUpController {
  constructor(
    private readonly browsers: Browsers,
    private readonly signUps: SignUps,
    private readonly ways: SignInWays,
  ) {}

  @RateLimited('default')
  @Get()
  async ask(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const to = ownPage(queryText(query, 'to'));
    const browser = await this.browsers.of(request, reply);
    const session = await this.signUps.find(queryText(query, 'session') ?? '', browser);
    if (session === undefined) return sendOn(reply, pathOf(this.signUps.begin(browser), to));
    if (!this.#isOfStage(session, query)) return sendOn(reply, this.#placeOf(session, to));
    const view = await this.signUps.nextView(session, request.url);
    if (view === undefined) {
      return showPage(reply, signUpPage({ ...this.ways.context, browser, to, path: request.url }));
    }
    return 'page' in view ? showPage(reply, view.page) : sendOn(reply, view.redirectTo);
  }

  @RateLimited('registration')
  @Post()
  async answer(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const to = ownPage(queryText(query, 'to'));
    const browser = await this.browsers.of(request, reply);
    const session = await this.signUps.find(queryText(query, 'session') ?? '', browser);
    if (session === undefined) return sendOn(reply, pathOf(this.signUps.begin(browser), to));
    if (!this.#isOfStage(session, query)) return sendOn(reply, this.#placeOf(session, to));
    if (!this.signUps.isReady(session)) {
      const view = await this.signUps.pass(session, request);
      if (view === undefined) return sendOn(reply, this.#placeOf(session, to));
      return 'page' in view ? showPage(reply, view.page) : sendOn(reply, view.redirectTo);
    }
    const { form } = await this.browsers.formOf(request, reply);
    const username = form.get('username') ?? '';
    try {
      const password = readNewPassword(form, 'password');
      const userId = await this.signUps.register(session, { username, password }, request.id);
      await this.browsers.signIn(reply, { userId }, request.id);
      await this.browsers.end(browser, request.id);
      return sendOn(reply, to);
    } catch (error) {
      if (!(error instanceof MatrixError) || error.status >= 500) throw error;
      const context = { ...this.ways.context, browser, to, path: request.url, username };
      return showPage(reply, signUpPage({ ...context, problem: error.message }), error.status);
    }
  }

  /** A form that is sent twice, or by another window, is of a stage that is passed by then; so is a page that somebody goes back to, and what they would send from there. */
  #isOfStage(session: AuthSession, query: QueryOfUrl): boolean {
    return [undefined, this.signUps.stepOf(session)].includes(queryText(query, 'step'));
  }

  #placeOf(session: AuthSession, to: string): string {
    return pathOf(session.id, to, this.signUps.stepOf(session));
  }
}

/** Each stage has a place of its own. */
const pathOf = (session: string, to: string, step = '0'): string =>
  `${PAGES.signUp}?${new URLSearchParams({ session, to, step }).toString()}`;
