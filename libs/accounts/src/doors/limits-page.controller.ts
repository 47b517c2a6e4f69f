import { Controller, Get, Inject, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { ErrorPageFilter } from '#http/pages/error-page.filter';
import { RateLimited } from '#http/rate-limited';
import { ACCOUNT_LIMITS, type AccountLimit, LIMITS_PATH, mediaLimit, sayLimit } from '#kernel/account-limits';
import { escapeHtml } from '#kernel/escape-html';
import { type HtmlPage, htmlPage } from '#http/pages/html-page';
import { showPage } from '#http/pages/show-page';

/** What `M_USER_LIMIT_EXCEEDED` leads to (client-server API, "Common error codes"): how much an account here may have, for its owner to read. */
@RateLimited('default')
@UseFilters(ErrorPageFilter)
@Controller(LIMITS_PATH)
export class LimitsPageController {
  readonly #page: HtmlPage;

  constructor(@Inject(CONFIG) { media }: Pick<Config, 'media'>) {
    const limits: [string, AccountLimit][] = Object.entries(ACCOUNT_LIMITS);
    if (media.quotaBytes !== undefined) limits.push(['media', mediaLimit(media.quotaBytes)]);
    const items = limits.map(([name, limit]) => `<li id="${name}">${escapeHtml(sayLimit(limit))}</li>`);
    const body = `<p>An account on this server has at most</p>
<ul class="list">${items.join('\n')}</ul>
<p>Remove something to make room.</p>`;
    this.#page = htmlPage('Limits of an account', body);
  }

  @Get()
  show(@Res({ passthrough: true }) reply: FastifyReply): string {
    return showPage(reply, this.#page);
  }
}
