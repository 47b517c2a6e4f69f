import { Controller, Get, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Query as QueryOfUrl, queryText, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { BackToClients } from '#sso/attempts/back-to-clients';
import { parseClientUrl, shownOf } from '#sso/attempts/client-url';
import { Browsers } from '../browser/browsers.js';
import { SignInWays } from '../browser/sign-in-ways.js';
import { OAuthIsOn } from '../oauth-is-on.js';
import { PAGES } from '../oauth-paths.js';
import { clientLoginPage } from '../pages/client-login-page.js';
import { sendOn, showPage } from '#http/pages/show-page';
import { PageErrorFilter } from './page-error.filter.js';

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
    private readonly clients: BackToClients,
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
    const { userId, upstream } = browser;
    if (userId === undefined) {
      if (queryText(query, 'action') === 'register' && this.ways.context.isOpen)
        return sendOn(reply, `${PAGES.signUp}?${new URLSearchParams({ to: path }).toString()}`);
      return showPage(reply, this.ways.page(browser, path));
    }
    const terms = await this.ways.findTerms(userId, path);
    if (terms !== undefined) return sendOn(reply, terms);
    if (this.clients.isTrusted(url))
      return sendOn(reply, await this.clients.urlFor({ userId, upstream }, url, request.id));
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
    const { userId, upstream } = browser;
    const terms = userId === undefined ? pathOf(url) : await this.ways.findTerms(userId, pathOf(url));
    if (userId === undefined || terms !== undefined) return sendOn(reply, terms ?? pathOf(url));
    return sendOn(reply, await this.clients.urlFor({ userId, upstream }, url, request.id));
  }
}

/** This page, without what somebody who comes back to it has done by then. */
const pathOf = ({ href }: URL): string =>
  `${PAGES.clientLogin}?${new URLSearchParams({ redirectUrl: href }).toString()}`;
