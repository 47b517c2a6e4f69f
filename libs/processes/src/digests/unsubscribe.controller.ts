import { Controller, Get, HttpCode, Post, Query, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { BY_SERVER } from '#accounts/accounts';
import { ErrorPageFilter } from '#http/pages/error-page.filter';
import { type HtmlPage, htmlPage } from '#http/pages/html-page';
import { showPage } from '#http/pages/show-page';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { MAIL_APP } from '#push/digests/mail-pusher';
import { Pushers } from '#push/pushers';
import { decidePusherRemoval } from '#push/pushers/decide-pushers';
import { UNSUBSCRIBE_PATH, UnsubscribeLinks } from './unsubscribe-links.js';

/**
 * Where people go who want no more mails of what is unread: no one has to log in for that. Programs that look at mails open links, too: so a page
 * asks. Its button posts, and so do programs for mails, for whom the header of the mail is (RFC 8058).
 */
@UseFilters(ErrorPageFilter)
@RateLimited('default')
@Controller(UNSUBSCRIBE_PATH)
export class UnsubscribeController {
  constructor(
    private readonly links: UnsubscribeLinks,
    private readonly pushers: Pushers,
  ) {}

  @Get()
  ask(@Query() query: QueryOfUrl, @Res({ passthrough: true }) reply: FastifyReply): string {
    return showPage(reply, this.links.open(requiredText(query, 'token')) === undefined ? wrongPage() : askPage());
  }

  /** Also of who has ended them before. */
  @HttpCode(200)
  @Post()
  async end(@Query() query: QueryOfUrl, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const ended = this.links.open(requiredText(query, 'token'));
    if (ended === undefined) return showPage(reply, wrongPage(), 403);
    const { userId, pushkey } = ended;
    await this.pushers.change(userId, BY_SERVER, (known) =>
      decidePusherRemoval(known, { app_id: MAIL_APP, pushkey }, 'unsubscribed'),
    );
    return showPage(reply, endedPage());
  }
}

function askPage(): HtmlPage {
  const body = `<p>Do you want no more mails that tell you of what you have not read?</p>
<form method="post"><button>No more mails</button></form>`;
  return htmlPage('Mails of what is unread', body);
}

function endedPage(): HtmlPage {
  return htmlPage(
    'No more mails',
    '<p>You are sent no more mails of what you have not read. In the settings of your application you can have them again.</p>',
  );
}

function wrongPage(): HtmlPage {
  return htmlPage('This link is not whole', '<p role="alert">Open it in the mail once more, all of it.</p>');
}
