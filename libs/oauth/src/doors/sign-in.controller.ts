import { Controller, Get, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AuthSession } from '#accounts/interactive-auth/auth-sessions';
import { showView } from '#accounts/pages/show-view';
import { PasswordCheck } from '#accounts/sessions/password-check';
import { type Query as QueryOfUrl, queryText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { type Browser, Browsers, type Shown } from '../browser/browsers.js';
import { SignInWays } from '../browser/sign-in-ways.js';
import { SteppedSignIns } from '../browser/stepped-sign-ins.js';
import { OAuthIsOn } from '../oauth-is-on.js';
import { ownPage, PAGES } from '../oauth-paths.js';
import { sendOn, showPage } from '#http/pages/show-page';
import { PageErrorFilter } from './page-error.filter.js';

/** Where people sign in with a browser, and out again. */
@UseGuards(OAuthIsOn)
@UseFilters(PageErrorFilter)
@Controller()
export class SignInController {
  constructor(
    private readonly browsers: Browsers,
    private readonly passwords: PasswordCheck,
    private readonly ways: SignInWays,
    private readonly stepped: SteppedSignIns,
  ) {}

  @RateLimited('default')
  @Get(PAGES.signIn)
  async ask(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const to = ownPage(queryText(query, 'to'));
    const browser = await this.browsers.of(request, reply);
    const id = queryText(query, 'session');
    if (id !== undefined) {
      const session = await this.stepped.find(id, browser);
      if (session === undefined) return this.#again(reply, browser, to);
      if (!isOfStage(session, query)) return sendOn(reply, pathOf(id, to, stepOf(session)));
      return showView(reply, await this.stepped.view(session, request.url));
    }
    const begun = this.stepped.begin(queryText(query, 'flow'), browser);
    if (begun !== undefined) return sendOn(reply, pathOf(begun, to));
    return showPage(reply, this.ways.page(browser, to));
  }

  @RateLimited('login')
  @Post(PAGES.signIn)
  async signIn(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const id = queryText(query, 'session');
    if (id !== undefined) return this.#goOn(id, query, request, reply);
    const { browser, form } = await this.browsers.formOf(request, reply);
    const to = ownPage(form.get('to'));
    // Nobody was shown such a form.
    if (!this.ways.context.isByPassword) return showPage(reply, this.ways.page(browser, to), 403);
    const username = form.get('username') ?? '';
    const claim = await this.passwords.parseClaim({ user: username, password: form.get('password') ?? '' });
    const verified = await this.passwords.verify(claim);
    if (verified !== undefined && (await this.#admit(verified, browser, request, reply))) return sendOn(reply, to);
    const unknown = 'Unknown user or wrong password';
    const problem = verified === undefined ? unknown : await this.browsers.refusalOf(verified.userId, unknown);
    return showPage(reply, this.ways.page(browser, to, { username, problem }), 403);
  }

  @RateLimited('default')
  @Post(PAGES.signOut)
  async signOut(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const { browser, form } = await this.browsers.formOf(request, reply);
    await this.browsers.signOut(reply, browser, request.id);
    return sendOn(reply, ownPage(form.get('to')));
  }

  /** Takes what the page of a stage has sent. It comes from that page: nobody else knows a session that is of this browser. */
  async #goOn(id: string, query: QueryOfUrl, request: FastifyRequest, reply: FastifyReply): Promise<string> {
    const to = ownPage(queryText(query, 'to'));
    const browser = await this.browsers.of(request, reply);
    const session = await this.stepped.find(id, browser);
    if (session === undefined) return this.#again(reply, browser, to);
    if (!isOfStage(session, query)) return sendOn(reply, pathOf(id, to, stepOf(session)));
    const step = await this.stepped.step(session, request);
    if (step === undefined) return sendOn(reply, pathOf(id, to, stepOf(session)));
    if ('view' in step) return showView(reply, step.view);
    if (await this.#admit(step.shown, browser, request, reply)) return sendOn(reply, to);
    const problem = await this.browsers.refusalOf(step.shown.userId, 'This account cannot sign in');
    return showPage(reply, this.ways.page(browser, to, { problem }), 403);
  }

  async #admit(shown: Shown, browser: Browser, request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    if (!(await this.browsers.signIn(reply, shown, request.id))) return false;
    // Who was signed in there before is no more.
    if (browser.userId !== undefined) await this.browsers.end(browser, request.id);
    return true;
  }

  #again(reply: FastifyReply, browser: Browser, to: string): string {
    const problem = 'This took too long, or was begun elsewhere: begin again';
    return showPage(reply, this.ways.page(browser, to, { problem }));
  }
}

const stepOf = ({ completed }: AuthSession): string => String(completed.length);

/** A form that is sent twice, or by another window, is of a stage that is passed by then; so is a page that somebody goes back to, and what they would send from there. */
function isOfStage(session: AuthSession, query: QueryOfUrl): boolean {
  return [undefined, stepOf(session)].includes(queryText(query, 'step'));
}

/** Each stage has a place of its own. */
const pathOf = (session: string, to: string, step = '0'): string =>
  `${PAGES.signIn}?${new URLSearchParams({ session, to, step }).toString()}`;
