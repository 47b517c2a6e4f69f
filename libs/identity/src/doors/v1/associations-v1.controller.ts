import { Controller, Get, HttpCode, Post, Query, UseGuards } from '@nestjs/common';
import { IsString } from 'class-validator';
import type { ValidatedThreepid } from '#accounts/threepids/validation-sessions';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { isUserId, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { Associations } from '../../associations/associations.js';
import { Validations } from '../../validations.js';
import { FormOrJson } from '../form-or-json.js';
import { IdentityRole } from '../identity-role.js';

class BindBody {
  @IsString() sid!: string;
  @IsString() client_secret!: string;
  @IsString() mxid!: string;
}

/**
 * Identifiers are made people's as in API v1, in which nobody says who they are: whoever has shown an address to be theirs says whose it is. The user's homeserver
 * may say that it is not (`unbind`, which is as in v2).
 */
@UseGuards(IdentityRole)
@Controller('_matrix/identity/api/v1/3pid')
export class AssociationsV1Controller {
  constructor(
    private readonly validations: Validations,
    private readonly associations: Associations,
  ) {}

  /** Nobody says who asks: what was shown for a user, as in v2, is answered there alone. Throws as `Validations.getValidated`. */
  @RateLimited('default')
  @Get('getValidated3pid')
  validated(@Query() query: QueryOfUrl): Promise<ValidatedThreepid> {
    const name = { sid: requiredText(query, 'sid'), clientSecret: requiredText(query, 'client_secret') };
    return this.validations.getValidated(name, undefined, null);
  }

  /** Throws M_INVALID_PARAM for what is no user ID, and as `Validations.getValidated`. */
  @RateLimited('login')
  @HttpCode(200)
  @Post('bind')
  async bind(@FormOrJson(BindBody) { sid, client_secret: clientSecret, mxid }: BindBody): Promise<object> {
    if (!isUserId(mxid)) throw new MatrixError('M_INVALID_PARAM', 'mxid: must be a user ID');
    const userId = mxid as UserId; // looked at
    const threepid = await this.validations.getValidated({ sid, clientSecret }, undefined, userId);
    await this.associations.bind(threepid, userId);
    return (await this.associations.find(threepid)) ?? {};
  }
}
