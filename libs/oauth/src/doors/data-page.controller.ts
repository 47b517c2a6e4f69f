import { Readable } from 'node:stream';
import { Controller, Get, Post, Req, Res, StreamableFile, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendOn, showPage } from '#http/pages/show-page';
import { RateLimited } from '#http/rate-limited';
import { RateLimits } from '#http/rate-limits';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { HandOver } from '#personal-data/hand-over';
import { inTime } from '#personal-data/in-time';
import { zipOf } from '#personal-data/zip/zip-of';
import { AccountView } from '../browser/account-view.js';
import { type Browser, Browsers } from '../browser/browsers.js';
import { ConfirmPerson } from '../browser/confirm-person.js';
import { SignInWays } from '../browser/sign-in-ways.js';
import { OAuthIsOn } from '../oauth-is-on.js';
import { ACTIONS } from '../account-actions.js';
import { PAGES } from '../oauth-paths.js';
import { PageErrorFilter } from './page-error.filter.js';

/** Where people see where their data is, and are handed it: without asking an operator, and whatever their account may besides. */
@UseGuards(OAuthIsOn)
@UseFilters(PageErrorFilter)
@RateLimited('login')
@Controller(PAGES.data)
export class DataPageController {
  constructor(
    private readonly browsers: Browsers,
    private readonly person: ConfirmPerson,
    private readonly account: AccountView,
    private readonly ways: SignInWays,
    private readonly handOver: HandOver,
    private readonly limits: RateLimits,
  ) {}

  @Get()
  async show(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const browser = await this.browsers.of(request, reply);
    if (browser.userId === undefined) return showPage(reply, this.ways.page(browser, request.url));
    return this.#page(reply, browser, browser.userId);
  }

  /** All of it as one file, once it is certain who sits there. */
  @Post()
  async download(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string | StreamableFile> {
    const { browser, form } = await this.browsers.formOf(request, reply);
    const { userId } = browser;
    if (userId === undefined) return sendOn(reply, PAGES.data);
    try {
      await this.person.check(browser, ACTIONS.data, form);
      this.limits.checkForUser('export', userId);
      return this.#begin(reply, userId);
    } catch (error) {
      if (!(error instanceof MatrixError) || error.status >= 500) throw error;
      return this.#page(reply, browser, userId, error);
    }
  }

  #begin(reply: FastifyReply, userId: UserId): StreamableFile {
    const { files, madeAt, end } = this.handOver.begin(userId);
    // Also where the browser goes away halfway, or went while it was looked who sits there.
    if (reply.raw.destroyed) end();
    else reply.raw.once('close', end);
    const name = `annals-data-${new Date(madeAt).toISOString().slice(0, 10)}.zip`;
    void reply
      .status(200)
      .removeHeader('access-control-allow-origin')
      .header('content-disposition', `attachment; filename="${name}"`)
      .header('cache-control', 'no-store')
      .header('referrer-policy', 'no-referrer')
      .header('x-content-type-options', 'nosniff')
      .type('application/zip');
    // Who takes it too slowly keeps a place from others: the connection ends, and with that the export.
    const pieces = inTime(zipOf(files, madeAt), () => reply.raw.destroy());
    return new StreamableFile(Readable.from(pieces, { objectMode: false }));
  }

  async #page(reply: FastifyReply, browser: Browser, userId: UserId, refusal?: MatrixError): Promise<string> {
    const context = await this.account.contextFor(browser, userId);
    const problem = refusal === undefined ? {} : { problem: refusal.message };
    return showPage(reply, await this.account.page(ACTIONS.data, { ...context, ...problem }), refusal?.status);
  }
}
