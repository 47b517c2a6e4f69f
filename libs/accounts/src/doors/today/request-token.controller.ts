import { Controller, HttpCode, Post } from '@nestjs/common';
import { IsInt, IsOptional, IsString, MaxLength } from 'class-validator';
import { TODAY_AND_ALPHA, under } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { RegistrationRules } from '../../registration-rules.js';
import { KEPT_ELSEWHERE, WhosePassword } from '../../sessions/whose-password.js';
import { MailValidation } from '../../threepids/mail-validation.js';
import type { ValidationPurpose } from '../../threepids/validation-links.js';

class RequestTokenBody {
  @IsString() client_secret!: string;
  @IsString() email!: string;
  @IsInt() send_attempt!: number;
  @IsOptional() @IsString() @MaxLength(2048) next_link?: string;
}

/**
 * Mails by which an address is shown to be somebody's (client-server API, "Adding Account Administrative Contact Information", "Account
 * registration", "Password management"). This server validates addresses itself, whatever `id_server` says, so no `submit_url` is given.
 * What is wrong with an address is told to the address itself.
 */
@Controller()
export class RequestTokenController {
  constructor(
    private readonly validation: MailValidation,
    private readonly rules: RegistrationRules,
    private readonly whose: WhosePassword,
  ) {}

  @RateLimited('mail')
  @HttpCode(200)
  @Post(under(TODAY_AND_ALPHA, 'register/email/requestToken'))
  register(@JsonBody(RequestTokenBody) body: RequestTokenBody): { sid: string } {
    this.rules.getMode();
    return this.#begin('registration', body);
  }

  @RateLimited('mail')
  @HttpCode(200)
  @Post(under(TODAY_AND_ALPHA, 'account/password/email/requestToken'))
  recover(@JsonBody(RequestTokenBody) body: RequestTokenBody): { sid: string } {
    if (!this.whose.areAnyOurs) throw new MatrixError('M_FORBIDDEN', KEPT_ELSEWHERE);
    return this.#begin('recovery', body);
  }

  @RateLimited('mail')
  @HttpCode(200)
  @Post(under(TODAY_AND_ALPHA, 'account/3pid/email/requestToken'))
  add(@JsonBody(RequestTokenBody) body: RequestTokenBody): { sid: string } {
    return this.#begin('addition', body);
  }

  #begin(purpose: ValidationPurpose, body: RequestTokenBody): { sid: string } {
    const { client_secret: clientSecret, email, send_attempt: sendAttempt, next_link: nextLink } = body;
    if (typeof nextLink === 'string' && !isWebAddress(nextLink)) {
      throw new MatrixError('M_INVALID_PARAM', 'next_link: no http or https URL');
    }
    // Some clients send null.
    const next = typeof nextLink === 'string' ? { nextLink } : {};
    return { sid: this.validation.begin({ purpose, email, clientSecret, sendAttempt, ...next }) };
  }
}

const isWebAddress = (text: string): boolean =>
  URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol);
