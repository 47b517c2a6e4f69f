import { Controller, HttpCode, Post } from '@nestjs/common';
import { readRequest, RequestMailBody } from '#accounts/threepids/validation-bodies';
import { RateLimited } from '#http/rate-limited';
import { FormOrJson } from './form-or-json.js';
import { CurrentCaller, FromIdentityUser, type IdentityCaller } from './identity-user.js';
import { SubmitByUserDoor } from './submit-token-door.js';

/** Mails by which an address is shown to be somebody's: identity service API, "Email associations". */
@Controller('_matrix/identity/v2/validate/email')
export class ValidateEmailController extends SubmitByUserDoor {
  /** Throws as `Validations.beginByMail`. */
  @FromIdentityUser()
  @RateLimited('mail')
  @HttpCode(200)
  @Post('requestToken')
  async requestToken(
    @CurrentCaller() { userId }: IdentityCaller,
    @FormOrJson(RequestMailBody) body: RequestMailBody,
  ): Promise<{ sid: string }> {
    return { sid: await this.validations.beginByMail(body.email, { asker: { userId }, ...readRequest(body) }) };
  }
}
