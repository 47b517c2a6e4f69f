import { Controller, HttpCode, Post } from '@nestjs/common';
import { readRequest, RequestTextBody } from '#accounts/threepids/validation-bodies';
import { RateLimited } from '#http/rate-limited';
import { FormOrJson } from './form-or-json.js';
import { CurrentCaller, FromIdentityUser, type IdentityCaller } from './identity-user.js';
import { SubmitByUserDoor } from './submit-token-door.js';

/** Messages to phones by which a number is shown to be somebody's: identity service API, "Phone number associations". */
@Controller('_matrix/identity/v2/validate/msisdn')
export class ValidatePhoneController extends SubmitByUserDoor {
  /** Throws as `Validations.beginByText`. */
  @FromIdentityUser()
  @RateLimited('text')
  @HttpCode(200)
  @Post('requestToken')
  async requestToken(
    @CurrentCaller() { userId }: IdentityCaller,
    @FormOrJson(RequestTextBody) body: RequestTextBody,
  ): Promise<{ sid: string }> {
    const { country, phone_number: phone } = body;
    return { sid: await this.validations.beginByText({ country, phone }, { asker: { userId }, ...readRequest(body) }) };
  }
}
