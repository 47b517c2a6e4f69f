import { randomBytes } from 'node:crypto';
import { Controller, Get, HttpCode, Inject, Post, Query, Req, Res, UseFilters } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import type { TermsDocument } from '#config/terms/read-terms';
import { BrowserCookie } from '#http/browser/browser-cookie';
import { FORM_TOKEN, FormTokens } from '#http/browser/form-tokens';
import { readForm } from '#http/browser/read-form';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { ErrorPageFilter } from '#http/pages/error-page.filter';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { Accounts } from '../accounts.js';
import { AcceptTerms } from '../commands/accept-terms.js';
import { consentGivenPage, consentPage } from '../pages/consent-pages.js';
import { sendOn, showPage } from '#http/pages/show-page';
import { ALL_OF_IT, areTicked } from '../pages/terms-fields.js';
import { CONSENT_PATH, type ConsentLink, Consents } from '../terms/consents.js';
import { Terms, versionsOf } from '../terms/terms.js';

const BROWSER_SECONDS = 60 * 60;

/** Where people accept what they have not accepted yet: the `consent_uri` of M_CONSENT_NOT_GIVEN. */
@UseFilters(ErrorPageFilter)
@Controller(CONSENT_PATH)
export class ConsentController {
  readonly #cookie: BrowserCookie;

  constructor(
    private readonly accounts: Accounts,
    private readonly terms: Terms,
    private readonly consents: Consents,
    private readonly commands: CommandBus,
    private readonly tokens: FormTokens,
    @Inject(CONFIG) config: Pick<Config, 'publicUrl'>,
  ) {
    this.#cookie = new BrowserCookie('annals-consent', config.publicUrl);
  }

  @RateLimited('default')
  @Get()
  async ask(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const link = this.#open(query);
    const documents = await this.#missing(link);
    return documents.length === 0 ? goOn(reply, link) : this.#show(request, reply, link, documents);
  }

  @RateLimited('default')
  @HttpCode(200)
  @Post()
  async accept(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const link = this.#open(query);
    const form = readForm(request);
    this.tokens.check(request, this.#cookie.find(request), form.get(FORM_TOKEN));
    const documents = await this.#missing(link);
    if (!areTicked(documents, (name) => form.get(name))) return this.#show(request, reply, link, documents, ALL_OF_IT);
    const cause = { actor: link.userId, correlation: request.id };
    await this.commands.execute(new AcceptTerms(link.userId, versionsOf(documents), cause));
    return goOn(reply, link);
  }

  #open(query: QueryOfUrl): ConsentLink {
    const link = this.consents.open(requiredText(query, 'link'));
    if (link === undefined)
      throw new MatrixError('M_FORBIDDEN', 'This link is over: your application has another as it is refused again');
    return link;
  }

  async #missing({ userId }: ConsentLink): Promise<readonly TermsDocument[]> {
    return this.terms.missing((await this.accounts.load(userId)).terms);
  }

  #show(
    request: FastifyRequest,
    reply: FastifyReply,
    { userId }: ConsentLink,
    documents: readonly TermsDocument[],
    problem?: string,
  ): string {
    const cookie = this.#cookie.find(request) ?? randomBytes(18).toString('base64url');
    this.#cookie.put(reply, cookie, BROWSER_SECONDS);
    return showPage(reply, consentPage({ userId, documents, formToken: this.tokens.fieldFor(cookie), problem }));
  }
}

function goOn(reply: FastifyReply, { goesOnTo }: ConsentLink): string {
  return goesOnTo === undefined ? showPage(reply, consentGivenPage()) : sendOn(reply, goesOnTo);
}
