import { Controller, Get, Inject, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Accounts } from '#accounts/accounts';
import { CONFIG, type Config } from '#config/config';
import type { Query as QueryOfUrl } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import {
  type AuthorisationRequest,
  parseAuthorisationRequest,
  RefusedRequest,
  type ReturnAddress,
} from '../authorisation-request.js';
import { type Browser, Browsers } from '../browser/browsers.js';
import { SignInWays } from '../browser/sign-in-ways.js';
import { ClientIds } from '../clients/client-ids.js';
import { withParameters } from '../clients/redirect-uris.js';
import { GrantAccess } from '../commands/grant-access.js';
import { OAuthIsOn } from '../oauth-is-on.js';
import { PAGES } from '../oauth-paths.js';
import { consentPage } from '../pages/consent-page.js';
import { sendOn, showPage } from '#http/pages/show-page';
import { issuerOf } from '../server-metadata.js';
import { PageErrorFilter } from './page-error.filter.js';

/** The authorisation endpoint: where a browser is sent by an application that asks for a session (client-server API, "Authorisation code flow"). */
@UseGuards(OAuthIsOn)
@UseFilters(PageErrorFilter)
@RateLimited('default')
@Controller(PAGES.authorise)
export class AuthoriseController {
  constructor(
    private readonly browsers: Browsers,
    private readonly clients: ClientIds,
    private readonly grants: GrantAccess,
    private readonly accounts: Accounts,
    private readonly ways: SignInWays,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl'>,
  ) {}

  @Get()
  ask(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return this.#answering(reply, async () => {
      const asked = parseAuthorisationRequest(query, this.clients);
      const browser = await this.browsers.of(request, reply);
      const to = withoutPrompt(request.url);
      if (asked.prompt === 'create' && this.ways.context.isOpen)
        return sendOn(reply, `${PAGES.signUp}?${new URLSearchParams({ to }).toString()}`);
      if (browser.userId !== undefined && asked.prompt !== 'login')
        return this.#consent(reply, request, asked, browser, to);
      return showPage(reply, this.ways.page(browser, to));
    });
  }

  @Post()
  decide(
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return this.#answering(reply, async () => {
      const { browser, form } = await this.browsers.formOf(request, reply);
      const asked = parseAuthorisationRequest(query, this.clients);
      // Signed out meanwhile.
      if (browser.userId === undefined) return sendOn(reply, withoutPrompt(request.url));
      if (form.get('answer') !== 'yes') throw new RefusedRequest(asked, 'access_denied', 'The user has said no');
      const terms = await this.ways.findTerms(browser.userId, withoutPrompt(request.url));
      if (terms !== undefined) return sendOn(reply, terms);
      const code = await this.grants.byCode({ userId: browser.userId, upstream: browser.upstream }, asked, request.id);
      return this.#sendBack(reply, asked, { code });
    });
  }

  async #consent(
    reply: FastifyReply,
    { url: path }: FastifyRequest,
    { client, scope, redirectUri }: AuthorisationRequest,
    browser: Browser,
    to: string,
  ): Promise<string> {
    const userId = browser.userId!; // It was looked at.
    const terms = await this.ways.findTerms(userId, to);
    if (terms !== undefined) return sendOn(reply, terms);
    const device = (await this.accounts.load(userId)).devices.get(scope.deviceId);
    const takesOver = device && (device.display_name ?? 'without a name');
    return showPage(reply, consentPage({ browser, userId, client, scope, takesOver, path, redirectUri }));
  }

  /** What the application is to hear of it hears. */
  async #answering(reply: FastifyReply, work: () => Promise<string>): Promise<string> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RefusedRequest)) throw error;
      return this.#sendBack(reply, error.address, { error: error.code, error_description: error.description });
    }
  }

  /** `iss` says who answers, so that an application that knows several servers takes it for no other's (RFC 9207). */
  #sendBack(
    reply: FastifyReply,
    { redirectUri, responseMode, state }: ReturnAddress,
    answer: Readonly<Record<string, string>>,
  ): string {
    const parameters = { ...answer, ...(state === undefined ? {} : { state }), iss: issuerOf(this.config.publicUrl) };
    return sendOn(reply, withParameters(redirectUri, responseMode, parameters));
  }
}

/** The same page, for who has done by then what `prompt` asks for. */
function withoutPrompt(path: string): string {
  const [page = '', query = ''] = path.split('?', 2);
  const parameters = new URLSearchParams(query);
  parameters.delete('prompt');
  return `${page}?${parameters.toString()}`;
}
