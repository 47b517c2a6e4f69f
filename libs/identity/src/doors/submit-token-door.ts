import { Get, HttpCode, Inject, Post, Query, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ErrorPageFilter } from '#http/pages/error-page.filter';
import { showPage } from '#http/pages/show-page';
import { SubmitTokenBody } from '#accounts/threepids/validation-bodies';
import type { SessionName } from '#accounts/threepids/validation-sessions';
import { CONFIG, type Config } from '#config/config';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { validatedPage, validationOverPage, validationPage } from '../pages/validation-pages.js';
import { Validations } from '../validations.js';
import { FormOrJson } from './form-or-json.js';
import { IdentityRole } from './identity-role.js';
import { FromIdentityUser } from './identity-user.js';

const OVER: ReadonlySet<string> = new Set(['M_NO_VALID_SESSION', 'M_SESSION_EXPIRED', 'M_TOKEN_INCORRECT']);

/**
 * Where links of validations lead. They need no token of the identity server, for they are opened in a browser; and since programs that look at mails open links,
 * too, the page asks, and only the button does anything.
 */
@UseGuards(IdentityRole)
export abstract class SubmitTokenDoor {
  constructor(
    protected readonly validations: Validations,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  @UseFilters(ErrorPageFilter)
  @RateLimited('default')
  @Get('submitToken')
  async ask(@Query() query: QueryOfUrl, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const { name, token } = readLink(query);
    const asked = await this.validations.peek(name, token);
    if (asked === undefined) return showPage(reply, validationOverPage());
    const { sid, clientSecret: client_secret } = name;
    const action = `submitToken/confirm?${new URLSearchParams({ token, client_secret, sid }).toString()}`;
    return showPage(reply, validationPage({ ...asked, serverName: this.config.serverName }, action));
  }

  /** What the button of the page does. */
  @UseFilters(ErrorPageFilter)
  @RateLimited('login')
  @HttpCode(200)
  @Post('submitToken/confirm')
  async confirm(@Query() query: QueryOfUrl, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const { name, token } = readLink(query);
    try {
      const { nextLink } = await this.validations.submit(name, token);
      return showPage(reply, validatedPage(nextLink));
    } catch (error) {
      if (!(error instanceof MatrixError) || !OVER.has(error.errcode)) throw error;
      return showPage(reply, validationOverPage());
    }
  }

  /** What clients do that were told a token. */
  protected async submit({ sid, client_secret, token }: SubmitTokenBody): Promise<{ success: true }> {
    await this.validations.submit({ sid, clientSecret: client_secret }, token);
    return { success: true };
  }
}

/** The same of today's API, where those alone bring tokens who use the identity server. */
export abstract class SubmitByUserDoor extends SubmitTokenDoor {
  @FromIdentityUser()
  @RateLimited('login')
  @HttpCode(200)
  @Post('submitToken')
  submitToken(@FormOrJson(SubmitTokenBody) body: SubmitTokenBody): Promise<{ success: true }> {
    return this.submit(body);
  }
}

function readLink(query: QueryOfUrl): { readonly name: SessionName; readonly token: string } {
  const name = { sid: requiredText(query, 'sid'), clientSecret: requiredText(query, 'client_secret') };
  return { name, token: requiredText(query, 'token') };
}
