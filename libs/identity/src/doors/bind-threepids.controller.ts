import { Controller, HttpCode, Post } from '@nestjs/common';
import { IsOptional, IsString } from 'class-validator';
import type { UnbindResult } from '#accounts/threepids/bound-elsewhere';
import { parseThreepid } from '#accounts/threepids/threepid';
import { Authenticated, CurrentRequester, OwnersOnly } from '#http/authenticated';
import { TODAY, under, UNSTABLE } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { Requester } from '#kernel/requester';
import { Bindings } from '../client/bindings.js';
import { IdentityServers } from '../client/identity-servers.js';

class BindBody {
  @IsString() client_secret!: string;
  @IsString() id_server!: string;
  @IsString() id_access_token!: string;
  @IsString() sid!: string;
}

class UnbindBody {
  @IsOptional() @IsString() id_server?: string;
  @IsString() medium!: string;
  @IsString() address!: string;
}

/**
 * Addresses by which users may be found, through an identity server that they choose: client-server API, "Adding Account Administrative Contact Information".
 * What that server says against it comes through.
 */
@Authenticated()
@OwnersOnly()
@Controller()
export class BindThreepidsController {
  constructor(
    private readonly bindings: Bindings,
    private readonly servers: IdentityServers,
  ) {}

  @RateLimited('login')
  @HttpCode(200)
  @Post(under([...TODAY, UNSTABLE], 'account/3pid/bind'))
  async bind(@CurrentRequester() { userId }: Requester, @JsonBody(BindBody) body: BindBody): Promise<object> {
    const { id_access_token: token, sid, client_secret: clientSecret } = body;
    await this.bindings.bind(userId, this.servers.parseServer(body.id_server), {
      token,
      sid,
      clientSecret,
    });
    return {};
  }

  @RateLimited('default')
  @HttpCode(200)
  @Post(under([...TODAY, UNSTABLE], 'account/3pid/unbind'))
  async unbind(
    @CurrentRequester() { userId }: Requester,
    @JsonBody(UnbindBody) body: UnbindBody,
  ): Promise<{ id_server_unbind_result: UnbindResult }> {
    const threepid = parseThreepid(body.medium, body.address);
    return {
      id_server_unbind_result: await this.bindings.unbind(userId, threepid, body.id_server),
    };
  }
}
