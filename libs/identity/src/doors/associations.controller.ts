import { Controller, Get, HttpCode, Inject, Post, Query, Req, UseGuards } from '@nestjs/common';
import { IsObject, IsOptional, IsString } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { findThreepid, isSameThreepid, type Threepid } from '#accounts/threepids/threepid';
import type { ValidatedThreepid } from '#accounts/threepids/validation-sessions';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { isUserId, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { Associations } from '../associations/associations.js';
import { HOMESERVERS, type Homeservers } from '../homeservers.js';
import { Validations } from '../validations.js';
import { FormOrJson } from './form-or-json.js';
import { IdentityRole } from './identity-role.js';
import { CurrentCaller, FromIdentityUser, type IdentityCaller } from './identity-user.js';

class BindBody {
  @IsString() sid!: string;
  @IsString() client_secret!: string;
  @IsString() mxid!: string;
}

class UnbindBody {
  @IsOptional() @IsString() sid?: string;
  @IsOptional() @IsString() client_secret?: string;
  @IsString() mxid!: string;
  @IsObject() threepid!: JsonObject;
}

/** Identifiers are made people's, and are theirs no more: identity service API, "Establishing associations". */
@Controller('_matrix/identity')
export class AssociationsController {
  constructor(
    private readonly validations: Validations,
    private readonly associations: Associations,
    @Inject(HOMESERVERS) private readonly homeservers: Homeservers,
  ) {}

  @FromIdentityUser()
  @RateLimited('default')
  @Get('v2/3pid/getValidated3pid')
  validated(@CurrentCaller() { userId }: IdentityCaller, @Query() query: QueryOfUrl): Promise<ValidatedThreepid> {
    const name = {
      sid: requiredText(query, 'sid'),
      clientSecret: requiredText(query, 'client_secret'),
    };
    return this.validations.getValidated(name, undefined, userId);
  }

  /** NOTSPEC: one makes an identifier one's own, and nobody else's. Throws M_FORBIDDEN, and as `Validations.getValidated`. */
  @FromIdentityUser()
  @RateLimited('default')
  @HttpCode(200)
  @Post('v2/3pid/bind')
  async bind(@CurrentCaller() { userId }: IdentityCaller, @FormOrJson(BindBody) body: BindBody): Promise<object> {
    if (body.mxid !== userId) throw new MatrixError('M_FORBIDDEN', 'mxid: must be who asks');
    const name = { sid: body.sid, clientSecret: body.client_secret };
    const threepid = await this.validations.getValidated(name, undefined, userId);
    await this.associations.bind(threepid, userId);
    return (await this.associations.find(threepid)) ?? {};
  }

  /**
   * For the user's homeserver, by its signature, and for who has shown that the identifier is theirs; the secret of that is enough, as the specification has
   * it. Throws M_FORBIDDEN; whether there was anything to end nobody is told.
   */
  @UseGuards(IdentityRole)
  @RateLimited('default')
  @HttpCode(200)
  @Post(['v2/3pid/unbind', 'api/v1/3pid/unbind'])
  async unbind(@Req() request: FastifyRequest, @FormOrJson(UnbindBody) body: UnbindBody): Promise<object> {
    const { medium, address } = body.threepid;
    const threepid = findThreepid(String(medium), String(address));
    if (threepid === undefined || !isUserId(body.mxid)) {
      throw new MatrixError('M_INVALID_PARAM', 'threepid and mxid: must be an identifier and a user ID');
    }
    const userId = body.mxid as UserId; // looked at
    const origin = await this.homeservers.findOrigin(request);
    if (origin === undefined) await this.#checkSession(body, threepid);
    else if (origin !== serverNameOf(userId)) throw new MatrixError('M_FORBIDDEN', 'The user is of another homeserver');
    await this.associations.unbind(threepid, userId);
    return {};
  }

  async #checkSession({ sid, client_secret: clientSecret }: UnbindBody, threepid: Threepid): Promise<void> {
    if (sid === undefined || clientSecret === undefined) {
      throw new MatrixError('M_FORBIDDEN', 'A session, or the signature of the homeserver, is required');
    }
    if (isSameThreepid(await this.validations.getValidated({ sid, clientSecret }), threepid)) return;
    throw new MatrixError('M_FORBIDDEN', 'In this session another identifier was shown to be theirs');
  }
}
