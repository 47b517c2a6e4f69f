import { Controller, Get, Inject, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { IssueLoginToken } from '#accounts/commands/issue-login-token';
import { CONFIG, type Config } from '#config/config';
import { type Query as QueryOfUrl, queryText, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import type { UserId } from '#kernel/ids';
import { isOfClient, parseClientUrl, shownOf, withLoginToken } from '#sso/attempts/client-url';
import { type Browser, Browsers } from '../browser/browsers.js';
import { SignInWays } from '../browser/sign-in-ways.js';
import { OAuthIsOn } from '../oauth-is-on.js';
import { PAGES } from '../oauth-paths.js';
import { clientLoginPage } from '../pages/client-login-page.js';
import { sendOn, showPage } from '#http/pages/show-page';
import { PageErrorFilter } from './page-error.filter.js';

/** The browser is on its way back to the client, which then asks at once. */
const LOGIN_TOKEN_MS = 30_000;

/**
 * Where a client that knows no OAuth 2.0 API sends a browser, by `login/sso/redirect`: whoever signs in here logs it in (client-server API, "OAuth
 * 2.0 aware clients").
 */
@UseGuards(OAuthIsOn)
@UseFilters(PageErrorFilter)
@RateLimited('default')
@Controller(PAGES.clientLogin)
export class ClientLoginController {
  constructor(
    private readonly browsers: Browsers,
    private readonly ways: SignInWays,
    private readonly commands: CommandBus,
    @Inject(CONFIG) private readonly config: Pick<Config, 'sso'>,
  ) {}

  @Get()
  async ask(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const url = parseClientUrl(requiredText(query, 'redirectUrl'));
    const path = pathOf(url);
    const browser = await this.browsers.of(request, reply);
    const { userId } = browser;
    if (userId === undefined) {
      if (queryText(query, 'action') === 'register' && this.ways.context.isOpen)
        return sendOn(reply, `${PAGES.signUp}?${new URLSearchParams({ to: path }).toString()}`);
      return showPage(reply, this.ways.page(browser, path));
    }
    const terms = await this.ways.findTerms(userId, path);
    if (terms !== undefined) return sendOn(reply, terms);
    const isTrusted = this.config.sso.trustedClients.some((prefix) => isOfClient(url, prefix));
    if (isTrusted) return sendOn(reply, await this.#logIn({ userId, browser }, url, request.id));
    return showPage(reply, clientLoginPage({ browser, userId, client: shownOf(url), scheme: url.protocol, path }));
  }

  @RateLimited('login')
  @Post()
  async logIn(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const url = parseClientUrl(requiredText(query, 'redirectUrl'));
    const { browser } = await this.browsers.formOf(request, reply);
    const { userId } = browser;
    const terms = userId === undefined ? pathOf(url) : await this.ways.findTerms(userId, pathOf(url));
    if (userId === undefined || terms !== undefined) return sendOn(reply, terms ?? pathOf(url));
    return sendOn(reply, await this.#logIn({ userId, browser }, url, request.id));
  }

  async #logIn(
    { userId, browser: { upstream } }: { readonly userId: UserId; readonly browser: Browser },
    url: URL,
    requestId: string,
  ): Promise<string> {
    const cause = { actor: userId, correlation: requestId };
    return withLoginToken(
      url,
      await this.commands.execute(new IssueLoginToken(userId, LOGIN_TOKEN_MS, cause, upstream)),
    );
  }
}

/** This page, without what somebody who comes back to it has done by then. */
const pathOf = ({ href }: URL): string =>
  `${PAGES.clientLogin}?${new URLSearchParams({ redirectUrl: href }).toString()}`;
