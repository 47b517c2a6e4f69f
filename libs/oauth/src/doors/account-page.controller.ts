import { Controller, Get, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Query as QueryOfUrl, queryText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { actionOf } from '../account-actions.js';
import { AccountView } from '../browser/account-view.js';
import { Browsers } from '../browser/browsers.js';
import { SignInWays } from '../browser/sign-in-ways.js';
import { OAuthIsOn } from '../oauth-is-on.js';
import { PAGES } from '../oauth-paths.js';
import { showPage } from '#http/pages/show-page';
import { PageErrorFilter } from './page-error.filter.js';

/** What a form of the page has done, by the word with which it comes back. */
const NOTES: Readonly<Record<string, string>> = {
  saved: 'Saved.',
  password: 'Your password is changed.',
  'signed-out': 'The device is signed out.',
  linked: 'You can sign in by that account from here on.',
  unlinked: 'Nobody signs in by that account here any more.',
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
      return showPage(reply, this.ways.page(browser, request.url));
    }
    const note = NOTES[queryText(query, 'done') ?? ''];
    const context = { ...(await this.account.contextFor(browser, userId)), ...(note === undefined ? {} : { note }) };
    const action = actionOf(queryText(query, 'action') ?? '');
    return showPage(reply, await this.account.page(action, context, queryText(query, 'device_id')));
  }
}
