import { Controller, HttpCode, Post } from '@nestjs/common';
import { TODAY, under } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { RegistrationRules } from '../../registration-rules.js';
import { KEPT_ELSEWHERE, WhosePassword } from '../../sessions/whose-password.js';
import { PhoneValidation, SUBMIT_PATH } from '../../threepids/phone-validation.js';
import { RequestTextBody, SubmitTokenBody } from '../../threepids/validation-bodies.js';
import type { ValidationPurpose } from '../../threepids/validation-links.js';

/** What a client is told of a validation that it began: it asks for the code, and brings it there. */
interface BegunBody {
  readonly sid: string;
  readonly submit_url: string;
  readonly msisdn: string;
}

/**
 * Messages by which a phone number is shown to be somebody's, as `RequestTokenController` has mails. The client asks for the code, and brings it to
 * `submit_url`. That a number has an account is told to the number itself.
 */
@Controller()
export class PhoneTokenController {
  constructor(
    private readonly validation: PhoneValidation,
    private readonly rules: RegistrationRules,
    private readonly whose: WhosePassword,
  ) {}

  @RateLimited('text')
  @HttpCode(200)
  @Post(under(TODAY, 'register/msisdn/requestToken'))
  register(@JsonBody(RequestTextBody) body: RequestTextBody): Promise<BegunBody> {
    this.rules.getMode();
    return this.#begin('registration', body);
  }

  @RateLimited('text')
  @HttpCode(200)
  @Post(under(TODAY, 'account/password/msisdn/requestToken'))
  recover(@JsonBody(RequestTextBody) body: RequestTextBody): Promise<BegunBody> {
    if (!this.whose.areAnyOurs) throw new MatrixError('M_FORBIDDEN', KEPT_ELSEWHERE);
    return this.#begin('recovery', body);
  }

  @RateLimited('text')
  @HttpCode(200)
  @Post(under(TODAY, 'account/3pid/msisdn/requestToken'))
  add(@JsonBody(RequestTextBody) body: RequestTextBody): Promise<BegunBody> {
    return this.#begin('addition', body);
  }

  /** Throws as `PhoneValidation.submit`. */
  @RateLimited('login')
  @HttpCode(200)
  @Post(SUBMIT_PATH)
  async submit(@JsonBody(SubmitTokenBody) body: SubmitTokenBody): Promise<{ success: true }> {
    await this.validation.submit({ sid: body.sid, clientSecret: body.client_secret }, body.token);
    return { success: true };
  }

  async #begin(purpose: ValidationPurpose, body: RequestTextBody): Promise<BegunBody> {
    // Nobody opens a page, so nobody goes on from there to `next_link`.
    const { client_secret: clientSecret, country, phone_number: phone, send_attempt: sendAttempt } = body;
    const { sid, number } = await this.validation.begin({ purpose, country, phone, clientSecret, sendAttempt });
    return { sid, submit_url: this.validation.submitUrl, msisdn: number };
  }
}
