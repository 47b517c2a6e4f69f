import { Controller, Get, Inject, Param, Query, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { TODAY, under } from '#http/client-paths';
import { type Query as QueryOfUrl, queryText, requiredText } from '#http/query';
import { ErrorPageFilter } from '#http/pages/error-page.filter';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { parseClientUrl } from '../attempts/client-url.js';
import { showPage } from '#http/pages/show-page';
import { goTo, showOrTell } from '../pages/show-or-tell.js';
import { chooseProviderPage } from '../pages/sso-pages.js';
import { CLIENT_LOGIN_PATH } from '../sso-path.js';
import { UpstreamLogins } from '../upstream-logins.js';
import { UpstreamProviders } from '../upstream-providers.js';

/** Where a client sends the browser of whoever wants to log in with an account elsewhere (client-server API, "Client login via SSO"). */
@UseFilters(ErrorPageFilter)
@Controller()
export class SsoRedirectController {
  constructor(
    private readonly providers: UpstreamProviders,
    private readonly logins: UpstreamLogins,
    @Inject(CONFIG) private readonly config: Pick<Config, 'oauth' | 'publicUrl'>,
  ) {}

  @RateLimited('default')
  @Get(under(TODAY, 'login/sso/redirect'))
  redirect(@Query() query: QueryOfUrl, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return showOrTell(reply, async () => {
      if (this.config.oauth) return this.#toOwnPage(query, reply);
      const [first, second] = this.providers.all;
      if (first === undefined) throw new MatrixError('M_UNRECOGNIZED', 'Nobody logs in with another account here');
      if (second === undefined) return this.#begin(first.id, query, reply);
      const redirectUrl = parseClientUrl(requiredText(query, 'redirectUrl')).href;
      const action = queryText(query, 'action');
      const parameters = new URLSearchParams({ redirectUrl, ...(action === undefined ? {} : { action }) }).toString();
      // A path relative to where the page is, whatever is before this server.
      const links = this.providers.all.map(({ id, name }) => ({ name, href: `./redirect/${id}?${parameters}` }));
      return showPage(reply, chooseProviderPage('Log in', 'With which account do you want to log in?', links));
    });
  }

  @RateLimited('default')
  @Get(under(TODAY, 'login/sso/redirect/:idpId'))
  redirectTo(
    @Param('idpId') providerId: string,
    @Query() query: QueryOfUrl,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return showOrTell(reply, () => this.#begin(providerId, query, reply));
  }

  /** Where people sign in here by whatever means there are, these providers among them. */
  #toOwnPage(query: QueryOfUrl, reply: FastifyReply): string {
    const { href: redirectUrl } = parseClientUrl(requiredText(query, 'redirectUrl'));
    const action = queryText(query, 'action');
    const parameters = new URLSearchParams({ redirectUrl, ...(action === undefined ? {} : { action }) }).toString();
    return goTo(reply, `${this.config.publicUrl}${CLIENT_LOGIN_PATH}?${parameters}`);
  }

  async #begin(providerId: string, query: QueryOfUrl, reply: FastifyReply): Promise<string> {
    const { href: redirectUrl } = parseClientUrl(requiredText(query, 'redirectUrl'));
    const asking = { registers: queryText(query, 'action') === 'register' };
    return goTo(reply, await this.logins.begin(reply, providerId, { kind: 'client', redirectUrl }, asking));
  }
}
