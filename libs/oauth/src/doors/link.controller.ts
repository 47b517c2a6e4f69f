import { Controller, Get, HttpCode, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Accounts } from '#accounts/accounts';
import { type Query as QueryOfUrl, queryText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RateLimits } from '#http/rate-limits';
import type { UserId } from '#kernel/ids';
import { Browsers } from '../browser/browsers.js';
import { SignInWays } from '../browser/sign-in-ways.js';
import { GrantAccess } from '../commands/grant-access.js';
import { type DeviceRequest, DeviceRequests, type Outcome } from '../device-requests.js';
import { OAuthIsOn } from '../oauth-is-on.js';
import { PAGES } from '../oauth-paths.js';
import { consentPage } from '../pages/consent-page.js';
import { linkPage, notePage } from '../pages/link-page.js';
import type { HtmlPage } from '#http/pages/html-page';
import { sendOn, showPage } from '#http/pages/show-page';
import { PageErrorFilter } from './page-error.filter.js';

const NOT_FOUND = 'No device that waits shows this code. Look at it again: codes hold for a quarter of an hour.';

/** Where somebody lets a device in that shows them a code (client-server API, "Device authorisation flow"; RFC 8628, section 3.3). */
@UseGuards(OAuthIsOn)
@UseFilters(PageErrorFilter)
@RateLimited('default')
@Controller(PAGES.link)
export class LinkController {
  constructor(
    private readonly browsers: Browsers,
    private readonly devices: DeviceRequests,
    private readonly grants: GrantAccess,
    private readonly accounts: Accounts,
    private readonly limits: RateLimits,
    private readonly ways: SignInWays,
  ) {}

  @Get()
  async ask(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const browser = await this.browsers.of(request, reply);
    const { userId } = browser;
    if (userId === undefined) {
      return showPage(reply, this.ways.page(browser, request.url));
    }
    const terms = await this.ways.findTerms(userId, request.url);
    if (terms !== undefined) return sendOn(reply, terms);
    const code = queryText(query, 'user_code');
    if (code === undefined) return showPage(reply, linkPage());
    const device = this.#find(userId, code);
    if (device === undefined) return showPage(reply, linkPage(NOT_FOUND), 404);
    const { client, scope } = device;
    const known = (await this.accounts.load(userId)).devices.get(scope.deviceId);
    const takesOver = known && (known.display_name ?? 'without a name');
    return showPage(reply, consentPage({ browser, userId, client, scope, takesOver, path: request.url }));
  }

  @HttpCode(200)
  @Post()
  async decide(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const {
      browser: { userId, upstream },
      form,
    } = await this.browsers.formOf(request, reply);
    const code = queryText(query, 'user_code') ?? '';
    const device = userId === undefined ? undefined : this.#find(userId, code);
    const before = userId === undefined ? undefined : this.devices.outcomeBy(userId, code);
    if (before !== undefined) return showPage(reply, outcomePage(before));
    if (userId === undefined || device === undefined) return showPage(reply, linkPage(NOT_FOUND), 404);
    const isLetIn = form.get('answer') === 'yes';
    const terms = isLetIn ? await this.ways.findTerms(userId, request.url) : undefined;
    if (terms !== undefined) return sendOn(reply, terms);
    if (!this.devices.claim(device, userId)) return showPage(reply, linkPage(NOT_FOUND), 404);
    if (isLetIn) await this.grants.byDevice({ userId, upstream }, device, request.id);
    return showPage(reply, outcomePage(await this.devices.settle(device, isLetIn ? userId : 'denied')));
  }

  /** Nobody is to try all codes. Throws M_LIMIT_EXCEEDED. */
  #find(userId: UserId, code: string): DeviceRequest | undefined {
    this.limits.check('login', `codes of devices by ${userId}`);
    return this.devices.find(code);
  }
}

function outcomePage(outcome: Outcome): HtmlPage {
  return outcome === 'denied'
    ? notePage('Not let in', 'The device is told so. You can close this page.')
    : notePage('The device is let in', 'It goes on by itself. You can close this page.');
}
