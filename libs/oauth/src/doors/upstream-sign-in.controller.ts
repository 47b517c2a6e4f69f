import { Controller, Get, Param, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Query as QueryOfUrl, queryText, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { UpstreamLogins } from '#sso/upstream-logins';
import { Browsers } from '../browser/browsers.js';
import { Returns } from '../browser/returns.js';
import { SignInWays } from '../browser/sign-in-ways.js';
import { OAuthIsOn } from '../oauth-is-on.js';
import { ownPage, PAGES } from '../oauth-paths.js';
import { sendOn } from '#http/pages/show-page';
import { PageErrorFilter } from './page-error.filter.js';

/** Where people sign in with a browser by an account that they have elsewhere. */
@UseGuards(OAuthIsOn)
@UseFilters(PageErrorFilter)
@RateLimited('default')
@Controller()
export class UpstreamSignInController {
  constructor(
    private readonly browsers: Browsers,
    private readonly logins: UpstreamLogins,
    private readonly returns: Returns,
    private readonly ways: SignInWays,
  ) {}

  @Get(`${PAGES.signInWith}/:providerId`)
  async begin(
    @Param('providerId') providerId: string,
    @Query() query: QueryOfUrl,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    this.#check();
    const name = this.returns.keep(ownPage(queryText(query, 'to')));
    const returnTo = `${PAGES.signInBack}?to=${name}`;
    return sendOn(reply, await this.logins.begin(reply, providerId, { kind: 'own', returnTo }));
  }

  @Get(PAGES.signInBack)
  async comeBack(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    this.#check();
    const page = { id: requiredText(query, 'id'), key: requiredText(query, 'key') };
    const { userId, purpose, upstream } = await this.logins.take(request, reply, page);
    // Whoever showed something for another end has not shown it for this.
    if (purpose.kind !== 'own') throw new MatrixError('M_FORBIDDEN', 'This was begun for something else');
    const before = await this.browsers.of(request, reply);
    if (!(await this.browsers.signIn(reply, { userId, upstream }, request.id)))
      throw new MatrixError('M_FORBIDDEN', await this.browsers.refusalOf(userId, 'This account cannot sign in'));
    await this.browsers.end(before, request.id);
    return sendOn(reply, this.returns.find(queryText(query, 'to') ?? ''));
  }

  /** Throws M_FORBIDDEN where it takes more than that. */
  #check(): void {
    if (!this.ways.isByProviders) throw new MatrixError('M_FORBIDDEN', 'Nobody signs in by that alone here');
  }
}
