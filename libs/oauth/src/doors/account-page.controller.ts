import { Controller, Get, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HtmlPage } from '#accounts/pages/html-page';
import { type Query as QueryOfUrl, queryText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { AccountView } from '../browser/account-view.js';
import { Browsers } from '../browser/browsers.js';
import { SignInWays } from '../browser/sign-in-ways.js';
import { OAuthIsOn } from '../oauth-is-on.js';
import { PAGES } from '../oauth-paths.js';
import {
  type AccountContext,
  closePage,
  devicePage,
  devicesPage,
  keyResetPage,
  profilePage,
} from '../pages/account-pages.js';
import { showPage } from '../pages/show-page.js';
import { signInPage } from '../pages/sign-in-page.js';
import { OLD_ACTIONS } from '../server-metadata.js';
import { PageErrorFilter } from './page-error.filter.js';

/** What a form of the page has done, by the word with which it comes back. */
const NOTES: Readonly<Record<string, string>> = {
  saved: 'Saved.',
  password: 'Your password is changed.',
  'signed-out': 'The device is signed out.',
  'key-reset': 'Go back to your application now, and go on there: for ten minutes it may make new keys.',
};

/** Where people see to their account with a browser (client-server API, "Account management"). */
@UseGuards(OAuthIsOn)
@UseFilters(PageErrorFilter)
@RateLimited('default')
@Controller(PAGES.account)
export class AccountPageController {
  constructor(
    private readonly browsers: Browsers,
    private readonly account: AccountView,
    private readonly ways: SignInWays,
  ) {}

  @Get()
  async show(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const browser = await this.browsers.of(request, reply);
    const { userId } = browser;
    if (userId === undefined) {
      return showPage(reply, signInPage({ ...this.ways.context, browser, to: request.url }));
    }
    const asked = queryText(query, 'action') ?? '';
    const note = NOTES[queryText(query, 'done') ?? ''];
    const context = { ...(await this.account.contextFor(browser, userId)), ...(note === undefined ? {} : { note }) };
    return showPage(reply, await this.#page(OLD_ACTIONS[asked] ?? asked, context, queryText(query, 'device_id')));
  }

  /** What is not known leads to the account, and devices that are gone to those that are there. */
  async #page(action: string, context: AccountContext, deviceId: string | undefined): Promise<HtmlPage> {
    const { userId } = context;
    switch (action) {
      case 'org.matrix.devices_list':
        return devicesPage(context, await this.account.list(userId));
      case 'org.matrix.device_view':
      case 'org.matrix.device_delete': {
        const device = await this.account.find(userId, deviceId);
        if (device === undefined) return devicesPage(context, await this.account.list(userId));
        return devicePage(context, device, action === 'org.matrix.device_delete');
      }
      case 'org.matrix.account_deactivate':
        return closePage(context);
      case 'org.matrix.cross_signing_reset':
        return keyResetPage(context);
      default:
        return profilePage(context, await this.account.displayname(userId));
    }
  }
}
