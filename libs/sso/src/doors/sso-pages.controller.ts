import { Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { readForm } from '#http/browser/read-form';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { ErrorPageFilter } from '#http/pages/error-page.filter';
import { RateLimited } from '#http/rate-limited';
import { CLOCK, type Clock } from '#kernel/clock';
import type { Purpose } from '../attempts/attempt.js';
import { notHere } from '../attempts/attempts.js';
import { BegunRequests } from '../begun-requests.js';
import { showPage } from '#http/pages/show-page';
import { goTo, showOrTell } from '../pages/show-or-tell.js';
import { chooseProviderPage } from '../pages/sso-pages.js';
import { SSO_PATH } from '../sso-path.js';
import { idOfState, type PageOf, UpstreamLogins } from '../upstream-logins.js';
import { UpstreamProviders } from '../upstream-providers.js';
import { AnswerProgress } from './answer-progress.js';

/** The pages between a provider and whoever waits for somebody to have shown who they are (client-server API, "SSO client login"). */
@UseFilters(ErrorPageFilter)
@Controller(SSO_PATH)
export class SsoPagesController {
  constructor(
    private readonly providers: UpstreamProviders,
    private readonly requests: BegunRequests,
    private readonly logins: UpstreamLogins,
    private readonly progress: AnswerProgress,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** 2014, "OAuth2-based": the "service selection URI". */
  @RateLimited('default')
  @Get('begin')
  begin(@Query() query: QueryOfUrl, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return showOrTell(reply, async () => {
      const purpose = this.requests.open(requiredText(query, 'request'));
      const [first, second] = this.providers.all;
      if (first !== undefined && second === undefined) return this.#goTo(first.id, purpose, reply);
      const links = this.requests.linksOf(purpose);
      return showPage(reply, chooseProviderPage('Log in', 'With which account do you want to log in?', links));
    });
  }

  @RateLimited('default')
  @Get('begin/:provider')
  beginAt(
    @Param('provider') provider: string,
    @Query() query: QueryOfUrl,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return showOrTell(reply, () => this.#goTo(provider, this.requests.open(requiredText(query, 'request')), reply));
  }

  @RateLimited('login')
  @Get('callback/:provider')
  callback(
    @Param('provider') provider: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const at = request.url.indexOf('?');
    const query = new URLSearchParams(at < 0 ? '' : request.url.slice(at + 1));
    return this.#answer(request, reply, idOfState(query.get('state') ?? ''), async () => {
      const progress = await this.logins.comeBack(request, reply, provider, query);
      return this.progress.answer(progress, { reply, requestId: request.id });
    });
  }

  @RateLimited('login')
  @HttpCode(200)
  @Post('details')
  answer(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return this.#answer(request, reply, String(query['id']), async () => {
      const progress = await this.logins.answer(request, reply, pageOf(query), readForm(request));
      return this.progress.answer(progress, { reply, requestId: request.id, isForm: true });
    });
  }

  /** A link of the page that asks whether a client may be logged in. */
  @RateLimited('default')
  @Get('continue')
  goOn(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return this.#answer(request, reply, String(query['id']), async () => {
      const { purpose, ...who } = await this.logins.take(request, reply, pageOf(query));
      if (purpose.kind !== 'client') throw notHere();
      return this.progress.backToClient(who, new URL(purpose.redirectUrl), { reply, requestId: request.id });
    });
  }

  /** The button of the page that asks whether something is to be done. */
  @RateLimited('default')
  @HttpCode(200)
  @Post('confirm')
  confirm(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return this.#answer(request, reply, String(query['id']), async () => {
      const { purpose, userId, upstream } = await this.logins.take(request, reply, pageOf(query));
      const answering = { reply, requestId: request.id };
      if (purpose.kind === 'v1') return this.progress.completeV1({ userId, upstream }, purpose.session, answering);
      if (purpose.kind !== 'stage') throw notHere();
      return this.progress.completeStage(userId, purpose.session, answering);
    });
  }

  async #goTo(provider: string, purpose: Purpose, reply: FastifyReply): Promise<string> {
    const asking = {
      ...(purpose.kind === 'stage' ? { anewSince: this.clock.now() } : {}),
      registers: purpose.kind === 'v1' && purpose.registers === true,
    };
    return goTo(reply, await this.logins.begin(reply, provider, purpose, asking));
  }

  /**
   * Clients of 2015 read the answer themselves. What an attempt says is good for one step: where that came to nothing, as the provider does not answer or
   * this server ended in between, the person begins anew by the same link.
   */
  #answer(request: FastifyRequest, reply: FastifyReply, id: string, answer: () => Promise<string>): Promise<string> {
    const purpose = this.logins.purposeOf(request, id);
    if (purpose?.kind === 'v1') {
      void reply.type('application/json');
      return answer();
    }
    const isBegunHere = purpose?.kind === 'client' || purpose?.kind === 'stage';
    return showOrTell(reply, answer, isBegunHere ? this.requests.linkOf(purpose) : undefined);
  }
}

function pageOf(query: QueryOfUrl): PageOf {
  return { id: requiredText(query, 'id'), key: requiredText(query, 'key') };
}
