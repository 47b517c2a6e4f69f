import { Controller, HttpCode, Post, Query } from '@nestjs/common';
import { IsInt, IsOptional, IsString, MaxLength } from 'class-validator';
import { TODAY_AND_ALPHA, under } from '#http/client-paths';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { isWebAddress } from '#kernel/is-web-address';
import { MatrixError } from '#kernel/matrix-error';
import { RegistrationRules } from '../../registration-rules.js';
import { KEPT_ELSEWHERE, WhosePassword } from '../../sessions/whose-password.js';
import { MailValidation } from '../../threepids/mail-validation.js';
import { SUBMIT_PATH, type ValidationPurpose } from '../../threepids/validation-links.js';

class RequestTokenBody {
  @IsString() client_secret!: string;
  @IsString() email!: string;
  @IsInt() send_attempt!: number;
  @IsOptional() @IsString() @MaxLength(2048) next_link?: string;
}

class SubmitTokenBody {
  @IsString() @MaxLength(255) sid!: string;
  @IsString() client_secret!: string;
  @IsString() @MaxLength(255) token!: string;
}

interface RequestTokenAnswer {
  readonly sid: string;
  readonly submit_url: string;
}

/**
 * Mails by which an address is shown to be somebody's (client-server API, "Adding Account Administrative Contact Information", "Account
 * registration", "Password management"). This server validates addresses itself, whatever `id_server` says: by a link, which needs no client, and for those
 * that ask for the code of the mail at `submit_url`.
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
  register(@JsonBody(RequestTokenBody) body: RequestTokenBody): RequestTokenAnswer {
    this.rules.getMode();
    return this.#begin('registration', body);
  }

  @RateLimited('mail')
  @HttpCode(200)
  @Post(under(TODAY_AND_ALPHA, 'account/password/email/requestToken'))
  recover(@JsonBody(RequestTokenBody) body: RequestTokenBody): RequestTokenAnswer {
    if (!this.whose.areAnyOurs) throw new MatrixError('M_FORBIDDEN', KEPT_ELSEWHERE);
    return this.#begin('recovery', body);
  }

  @RateLimited('mail')
  @HttpCode(200)
  @Post(under(TODAY_AND_ALPHA, 'account/3pid/email/requestToken'))
  add(@JsonBody(RequestTokenBody) body: RequestTokenBody): RequestTokenAnswer {
    return this.#begin('addition', body);
  }

  /** `submit_url`: as the identity service API has it, without a token (POST /validate/email/submitToken). */
  @RateLimited('login')
  @HttpCode(200)
  @Post(SUBMIT_PATH)
  async submit(
    @Query() query: QueryOfUrl,
    @JsonBody(SubmitTokenBody) { sid, client_secret: clientSecret, token }: SubmitTokenBody,
  ): Promise<{ success: true }> {
    await this.validation.submit(requiredText(query, 'validation'), { sid, clientSecret, token });
    return { success: true };
  }

  #begin(purpose: ValidationPurpose, body: RequestTokenBody): RequestTokenAnswer {
    const { client_secret: clientSecret, email, send_attempt: sendAttempt, next_link: nextLink } = body;
    if (typeof nextLink === 'string' && !isWebAddress(nextLink)) {
      throw new MatrixError('M_INVALID_PARAM', 'next_link: no http or https URL');
    }
    // Some clients send null.
    const next = typeof nextLink === 'string' ? { nextLink } : {};
    const wanted = { purpose, email, clientSecret, sendAttempt, ...next };
    const { sid, submitUrl } = this.validation.beginWithCode(wanted);
    return { sid, submit_url: submitUrl };
  }
}
