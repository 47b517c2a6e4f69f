import { Controller, HttpCode, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { readRequest, RequestMailBody, RequestTextBody, SubmitTokenBody } from '#accounts/threepids/validation-bodies';
import { addressParty } from '#http/address-party';
import { RateLimited } from '#http/rate-limited';
import { FormOrJson } from '../form-or-json.js';
import { SubmitTokenDoor } from '../submit-token-door.js';

/** Whoever has a token brings it: nobody says who they are. */
abstract class SubmitByAnybodyDoor extends SubmitTokenDoor {
  @RateLimited('login')
  @HttpCode(200)
  @Post('submitToken')
  submitToken(@FormOrJson(SubmitTokenBody) body: SubmitTokenBody): Promise<{ success: true }> {
    return this.submit(body);
  }
}

/** Mails as API v1 had them, in which nobody says who they are: each address may begin as many validations as one user. */
@Controller('_matrix/identity/api/v1/validate/email')
export class ValidateEmailV1Controller extends SubmitByAnybodyDoor {
  @RateLimited('mail')
  @HttpCode(200)
  @Post('requestToken')
  async requestToken(
    @Req() { ip }: FastifyRequest,
    @FormOrJson(RequestMailBody) body: RequestMailBody,
  ): Promise<{ sid: string }> {
    const asked = { asker: { ipParty: addressParty(ip) }, ...readRequest(body) };
    return { sid: await this.validations.beginByMail(body.email, asked) };
  }
}

/** The same of messages to phones. */
@Controller('_matrix/identity/api/v1/validate/msisdn')
export class ValidatePhoneV1Controller extends SubmitByAnybodyDoor {
  @RateLimited('text')
  @HttpCode(200)
  @Post('requestToken')
  async requestToken(
    @Req() { ip }: FastifyRequest,
    @FormOrJson(RequestTextBody) body: RequestTextBody,
  ): Promise<{ sid: string }> {
    const { country, phone_number: phone } = body;
    const asked = { asker: { ipParty: addressParty(ip) }, ...readRequest(body) };
    return { sid: await this.validations.beginByText({ country, phone }, asked) };
  }
}
