import { Controller, Get, HttpCode, Inject, Post, Query, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { ErrorPageFilter } from '#http/pages/error-page.filter';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { linkConfirmedPage, linkOverPage, linkPage } from '../pages/link-pages.js';
import { showPage } from '#http/pages/show-page';
import { MailValidation } from '../threepids/mail-validation.js';
import { LINK_PATH } from '../threepids/validation-links.js';

/** Where the links of mails lead to. Programs that look at mails open links, too: so a page asks, and only its button does anything. */
@UseFilters(ErrorPageFilter)
@Controller(LINK_PATH)
export class MailLinksController {
  constructor(
    private readonly validation: MailValidation,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  @RateLimited('default')
  @Get()
  ask(@Query() query: QueryOfUrl, @Res({ passthrough: true }) reply: FastifyReply): string {
    const link = this.validation.open(requiredText(query, 'token'));
    return showPage(reply, link === undefined ? linkOverPage() : linkPage(link, this.config.serverName));
  }

  @RateLimited('login')
  @HttpCode(200)
  @Post()
  async confirm(@Query() query: QueryOfUrl, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    try {
      return showPage(reply, linkConfirmedPage(await this.validation.confirm(requiredText(query, 'token'))));
    } catch (error) {
      if (!(error instanceof MatrixError) || error.errcode !== 'M_FORBIDDEN') throw error;
      return showPage(reply, linkOverPage());
    }
  }
}
