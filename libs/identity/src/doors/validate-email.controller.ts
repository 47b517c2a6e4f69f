import { Controller, Get, HttpCode, Post, Query, Res, UseGuards } from '@nestjs/common';
import { IsInt, IsOptional, IsString, MaxLength } from 'class-validator';
import type { FastifyReply } from 'fastify';
import { showPage } from '#accounts/pages/show-page';
import { findThreepid } from '#accounts/threepids/threepid';
import { JsonBody } from '#http/json-body';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { validatedPage, validationOverPage, validationPage } from '../pages/validation-pages.js';
import { type SessionName, Validations } from '../validations.js';
import { IdentityRole } from './identity-role.js';
import { CurrentCaller, FromIdentityUser, type IdentityCaller } from './identity-user.js';

class RequestTokenBody {
  @IsString() client_secret!: string;
  @IsString() email!: string;
  @IsInt() send_attempt!: number;
  @IsOptional() @IsString() @MaxLength(512) next_link?: string;
}

class SubmitTokenBody {
  @IsString() @MaxLength(255) sid!: string;
  @IsString() client_secret!: string;
  @IsString() @MaxLength(255) token!: string;
}

/**
 * Mails by which an address is shown to be somebody's: identity service API, "Email associations". A link in a mail needs no token of the identity server, for
 * it is opened in a browser; and since programs that look at mails open links, too, its page asks, and only the button does anything.
 */
@Controller('_matrix/identity/v2/validate/email')
export class ValidateEmailController {
  constructor(private readonly validations: Validations) {}

  /** Throws M_INVALID_EMAIL, and as `Validations.begin`. */
  @FromIdentityUser()
  @RateLimited('mail')
  @HttpCode(200)
  @Post('requestToken')
  async requestToken(
    @CurrentCaller() { userId }: IdentityCaller,
    @JsonBody(RequestTokenBody) body: RequestTokenBody,
  ): Promise<{ sid: string }> {
    const { client_secret: clientSecret, email, send_attempt: sendAttempt, next_link: nextLink } = body;
    const threepid = findThreepid('email', email);
    if (threepid === undefined) throw new MatrixError('M_INVALID_EMAIL');
    if (nextLink !== undefined && !isWebAddress(nextLink)) {
      throw new MatrixError('M_INVALID_PARAM', 'next_link: no http or https URL');
    }
    const next = nextLink === undefined ? {} : { nextLink };
    return {
      sid: await this.validations.begin({
        userId,
        threepid,
        clientSecret,
        sendAttempt,
        ...next,
      }),
    };
  }

  @FromIdentityUser()
  @RateLimited('login')
  @HttpCode(200)
  @Post('submitToken')
  async submitToken(@JsonBody(SubmitTokenBody) body: SubmitTokenBody): Promise<{ success: true }> {
    await this.validations.submit({ sid: body.sid, clientSecret: body.client_secret }, body.token);
    return { success: true };
  }

  @UseGuards(IdentityRole)
  @RateLimited('default')
  @Get('submitToken')
  async ask(@Query() query: QueryOfUrl, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const { name, token } = readLink(query);
    const address = await this.validations.peek(name, token);
    if (address === undefined) return showPage(reply, validationOverPage());
    const { sid, clientSecret: client_secret } = name;
    const action = `submitToken/confirm?${new URLSearchParams({ token, client_secret, sid }).toString()}`;
    return showPage(reply, validationPage(address, action));
  }

  /** What the button of the page does. */
  @UseGuards(IdentityRole)
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
}

const OVER: ReadonlySet<string> = new Set(['M_NO_VALID_SESSION', 'M_SESSION_EXPIRED', 'M_TOKEN_INCORRECT']);

function readLink(query: QueryOfUrl): {
  readonly name: SessionName;
  readonly token: string;
} {
  const name = {
    sid: requiredText(query, 'sid'),
    clientSecret: requiredText(query, 'client_secret'),
  };
  return { name, token: requiredText(query, 'token') };
}

const isWebAddress = (text: string): boolean =>
  URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol);
