import { Controller, HttpCode, Post, Query } from '@nestjs/common';
import { TODAY_AND_ALPHA, under } from '#http/client-paths';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { RegistrationRules } from '../../registration-rules.js';
import { KEPT_ELSEWHERE, WhosePassword } from '../../sessions/whose-password.js';
import { MailValidation } from '../../threepids/mail-validation.js';
import { readRequest, RequestMailBody, SubmitTokenBody } from '../../threepids/validation-bodies.js';
import { SUBMIT_PATH, type ValidationPurpose } from '../../threepids/validation-links.js';

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
  register(@JsonBody(RequestMailBody) body: RequestMailBody): RequestTokenAnswer {
    this.rules.getMode();
    return this.#begin('registration', body);
  }

  @RateLimited('mail')
  @HttpCode(200)
  @Post(under(TODAY_AND_ALPHA, 'account/password/email/requestToken'))
  recover(@JsonBody(RequestMailBody) body: RequestMailBody): RequestTokenAnswer {
    if (!this.whose.areAnyOurs) throw new MatrixError('M_FORBIDDEN', KEPT_ELSEWHERE);
    return this.#begin('recovery', body);
  }

  @RateLimited('mail')
  @HttpCode(200)
  @Post(under(TODAY_AND_ALPHA, 'account/3pid/email/requestToken'))
  add(@JsonBody(RequestMailBody) body: RequestMailBody): RequestTokenAnswer {
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

  #begin(purpose: ValidationPurpose, body: RequestMailBody): RequestTokenAnswer {
    const wanted = { purpose, email: body.email, ...readRequest(body) };
    const { sid, submitUrl } = this.validation.beginWithCode(wanted);
    return { sid, submit_url: submitUrl };
  }
}
