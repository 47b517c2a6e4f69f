import { Controller, Get, HttpCode, Param, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Query as QueryOfUrl, queryText, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { goOnPage } from '#sso/pages/sso-pages';
import { UpstreamLogins } from '#sso/upstream-logins';
import { AccountView } from '../browser/account-view.js';
import { type Browser, Browsers } from '../browser/browsers.js';
import { ConfirmPerson } from '../browser/confirm-person.js';
import { LinkElsewhere } from '../commands/link-elsewhere.js';
import { OAuthIsOn } from '../oauth-is-on.js';
import { ACTIONS } from '../account-actions.js';
import { ACCOUNT_FORMS, PAGES } from '../oauth-paths.js';
import { doneAt } from '../pages/account-pages.js';
import { sendOn, showPage } from '#http/pages/show-page';
import { PageErrorFilter } from './page-error.filter.js';

/** Who is signed in, and the page of theirs to which they are back from a provider. */
interface Back {
  readonly browser: Browser;
  readonly userId: UserId;
}

/** What the account page has to do with accounts elsewhere: by which ones somebody signs in, and by which they confirm that it is they. */
@UseGuards(OAuthIsOn)
@UseFilters(PageErrorFilter)
@RateLimited('login')
@Controller()
export class ElsewhereController {
  constructor(
    private readonly browsers: Browsers,
    private readonly person: ConfirmPerson,
    private readonly account: AccountView,
    private readonly logins: UpstreamLogins,
    private readonly links: LinkElsewhere,
  ) {}

  /** The provider is to ask them once more, though it knows them. */
  @Get(`${PAGES.confirmWith}/:providerId`)
  async confirm(
    @Param('providerId') providerId: string,
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const { userId } = await this.browsers.of(request, reply);
    if (userId === undefined) return sendOn(reply, PAGES.account);
    const returnTo = `${PAGES.confirmBack}?${new URLSearchParams({ action: requiredText(query, 'action') }).toString()}`;
    const purpose = { kind: 'confirmation', userId, returnTo } as const;
    return sendOn(reply, await this.logins.begin(reply, providerId, purpose, { anewSince: this.links.now() }));
  }

  /** The page of what they want to do, which can be done from there. */
  @Get(PAGES.confirmBack)
  async confirmed(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const { browser, userId } = await this.#back('confirmation', query, request, reply);
    const action = queryText(query, 'action') ?? '';
    const context = await this.account.contextFor(browser, userId);
    const confirmation = this.person.confirmationFor(browser, userId, action);
    return showPage(reply, await this.account.page(action, { ...context, confirmation }));
  }

  @HttpCode(200)
  @Post(ACCOUNT_FORMS.elsewhere)
  async change(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const { browser, form } = await this.browsers.formOf(request, reply);
    const { userId } = browser;
    if (userId === undefined) return sendOn(reply, PAGES.account);
    try {
      await this.person.check(browser, ACTIONS.elsewhere, form);
      const provider = form.get('link');
      if (provider !== undefined) return await this.#goTo(reply, userId, provider);
      await this.links.unlink(userId, form.get('unlink') ?? '', request.id);
      return sendOn(reply, doneAt(ACTIONS.elsewhere, 'unlinked'));
    } catch (error) {
      if (!(error instanceof MatrixError) || error.status >= 500) throw error;
      const context = { ...(await this.account.contextFor(browser, userId)), problem: error.message };
      return showPage(reply, await this.account.page(ACTIONS.elsewhere, context), error.status);
    }
  }

  @Get(PAGES.linkBack)
  async linked(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const { userId, links } = await this.#back('link', query, request, reply);
    if (links === undefined) throw new MatrixError('M_FORBIDDEN', 'This was begun for something else');
    await this.links.link(userId, links, request.id);
    return sendOn(reply, doneAt(ACTIONS.elsewhere, 'linked'));
  }

  /** By a page: a form may lead to this server alone. */
  async #goTo(reply: FastifyReply, userId: UserId, provider: string): Promise<string> {
    const purpose = { kind: 'link', userId, returnTo: PAGES.linkBack } as const;
    const url = await this.logins.begin(reply, provider, purpose, { anewSince: this.links.now() });
    void reply.header('refresh', `0;url=${url}`);
    return showPage(reply, goOnPage(url));
  }

  /** Whoever is signed in here is back who went there. Throws M_FORBIDDEN. */
  async #back(
    kind: 'confirmation' | 'link',
    query: QueryOfUrl,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<Back & Pick<Awaited<ReturnType<UpstreamLogins['take']>>, 'links'>> {
    const page = { id: requiredText(query, 'id'), key: requiredText(query, 'key') };
    const { userId, purpose, links } = await this.logins.take(request, reply, page);
    const browser = await this.browsers.of(request, reply);
    // A provider at which a browser is one person at a time logs the first out where a second logs in: their session here ends with that.
    if (purpose.kind === kind && browser.userId === undefined)
      throw new MatrixError('M_FORBIDDEN', 'You were signed out here meanwhile: sign in, and begin again');
    if (purpose.kind !== kind || browser.userId !== userId)
      throw new MatrixError('M_FORBIDDEN', 'This was begun for something else');
    return { browser, userId, links };
  }
}
