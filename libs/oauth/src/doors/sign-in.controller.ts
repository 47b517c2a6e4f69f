import { Controller, Get, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PasswordCheck } from '#accounts/sessions/password-check';
import { type Query as QueryOfUrl, queryText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { Browsers } from '../browser/browsers.js';
import { SignInWays } from '../browser/sign-in-ways.js';
import { OAuthIsOn } from '../oauth-is-on.js';
import { ownPage, PAGES } from '../oauth-paths.js';
import { sendOn, showPage } from '#http/pages/show-page';
import { signInPage } from '../pages/sign-in-page.js';
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
  ) {}

  @RateLimited('default')
  @Get(PAGES.signIn)
  async ask(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const browser = await this.browsers.of(request, reply);
    return showPage(reply, signInPage({ ...this.ways.context, browser, to: ownPage(queryText(query, 'to')) }));
  }

  @RateLimited('login')
  @Post(PAGES.signIn)
  async signIn(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const { browser, form } = await this.browsers.formOf(request, reply);
    const [to, username] = [ownPage(form.get('to')), form.get('username') ?? ''];
    const claim = await this.passwords.parseClaim({ user: username, password: form.get('password') ?? '' });
    const verified = await this.passwords.verify(claim);
    const isSignedIn = verified !== undefined && (await this.browsers.signIn(reply, verified, request.id));
    if (isSignedIn) {
      // Who was signed in there before is no more.
      if (browser.userId !== undefined) await this.browsers.end(browser, request.id);
      return sendOn(reply, to);
    }
    const problem = 'Unknown user or wrong password';
    return showPage(reply, signInPage({ ...this.ways.context, browser, to, username, problem }), 403);
  }

  @RateLimited('default')
  @Post(PAGES.signOut)
  async signOut(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const { browser, form } = await this.browsers.formOf(request, reply);
    await this.browsers.signOut(reply, browser, request.id);
    return sendOn(reply, ownPage(form.get('to')));
  }
}
