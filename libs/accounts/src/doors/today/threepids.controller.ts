import { Controller, Get, HttpCode, Inject, Optional, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsObject, IsOptional, IsString } from 'class-validator';
import {
  Authenticated,
  CurrentRequester,
  NotByOAuth,
  NotOfAuthService,
  OwnersOnly,
  WhileSuspended,
} from '#http/authenticated';
import { TODAY, TODAY_AND_ALPHA, under, UNSTABLE } from '#http/client-paths';
import { checkDto, JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { isServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { causeOf } from '../../accounts.js';
import { AddThreepid } from '../../commands/add-threepid.js';
import { RemoveThreepid } from '../../commands/remove-threepid.js';
import { Flows } from '../../interactive-auth/flows.js';
import { InteractiveAuth } from '../../interactive-auth/interactive-auth.js';
import { type AccountThreepid, listThreepids } from '../../queries/threepids.js';
import { BOUND_ELSEWHERE, type BoundElsewhere, type UnbindResult } from '../../threepids/bound-elsewhere.js';
import { ShownThreepids } from '../../threepids/shown-threepids.js';
import { parseThreepid } from '../../threepids/threepid.js';
import { parseCredentials, type ThreepidCredentials } from '../../threepids/threepid-credentials.js';

class CredentialsBody {
  @IsString() client_secret!: string;
  @IsString() sid!: string;
  @IsOptional() @IsString() id_server?: string;
  @IsOptional() @IsString() id_access_token?: string;
}

class OldCredentialsBody {
  @IsObject() three_pid_creds!: JsonObject;
}

class ThreepidBody {
  @IsString() medium!: string;
  @IsString() address!: string;
  @IsOptional() @IsString() id_server?: string;
}

/** Mail addresses and phone numbers of an account (client-server API, "Adding Account Administrative Contact Information"). */
@Authenticated()
@OwnersOnly()
@Controller()
export class ThreepidsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly auth: InteractiveAuth,
    private readonly flows: Flows,
    private readonly shown: ShownThreepids,
    @Inject(VIEWS) private readonly views: Views,
    @Optional()
    @Inject(BOUND_ELSEWHERE)
    private readonly bound?: BoundElsewhere,
  ) {}

  @RateLimited('default')
  @Get(under(TODAY_AND_ALPHA, 'account/3pid'))
  async list(@CurrentRequester() { userId }: Requester): Promise<{ threepids: AccountThreepid[] }> {
    return { threepids: await listThreepids(this.views, userId) };
  }

  @WhileSuspended()
  @NotByOAuth()
  @RateLimited('login')
  @HttpCode(200)
  @Post(under([...TODAY, UNSTABLE], 'account/3pid/add'))
  add(@CurrentRequester() requester: Requester, @JsonBody() body: JsonObject): Promise<object> {
    return this.#add(requester, 'POST /account/3pid/add', body, (request) => credentialsIn(request));
  }

  /**
   * As before there was `add`. NOTSPEC: it is confirmed as that is. An address is all it takes to choose a new password, so an access
   * token alone is not enough to add one.
   */
  @WhileSuspended()
  @NotByOAuth()
  @RateLimited('login')
  @HttpCode(200)
  @Post(under(TODAY_AND_ALPHA, 'account/3pid'))
  addAsBefore(@CurrentRequester() requester: Requester, @JsonBody() body: JsonObject): Promise<object> {
    return this.#add(requester, 'POST /account/3pid', body, (request) => {
      const { clientSecret, idServer, ...given } = checkDto(OldCredentialsBody, request).three_pid_creds;
      return credentialsIn({ client_secret: clientSecret, id_server: idServer, ...given });
    });
  }

  /** That identity servers know it no more is asked of them, and its outcome told; the account has it no more in any case. */
  @NotOfAuthService()
  @RateLimited('default')
  @HttpCode(200)
  @Post(under(TODAY, 'account/3pid/delete'))
  async delete(
    @CurrentRequester() requester: Requester,
    @JsonBody(ThreepidBody)
    { medium, address, id_server: idServer }: ThreepidBody,
  ): Promise<{ id_server_unbind_result: UnbindResult }> {
    const threepid = parseThreepid(medium, address);
    if (idServer !== undefined && !isServerName(idServer))
      throw new MatrixError('M_INVALID_PARAM', 'id_server: must be the name of a server');
    await this.commands.execute(new RemoveThreepid(requester.userId, threepid, causeOf(requester)));
    const result = await this.bound?.forget(requester.userId, threepid, idServer);
    return { id_server_unbind_result: result ?? 'no-support' };
  }

  /** Throws M_THREEPID_AUTH_FAILED where the address was not shown to be theirs, before they confirm anything. */
  async #add(
    requester: Requester,
    name: string,
    body: JsonObject,
    credentialsOf: (request: JsonObject) => ThreepidCredentials,
  ): Promise<object> {
    const session = await this.auth.authorise(await this.flows.confirmation(name, requester.userId), body);
    const credentials = credentialsOf(session.body);
    await this.auth.doAndClose(session, async () => {
      const shown = await this.shown.take('addition', credentials, requester.userId);
      if (shown === undefined) throw new MatrixError('M_THREEPID_AUTH_FAILED');
      const { threepid, validatedAt } = shown;
      await this.commands.execute(new AddThreepid(requester.userId, threepid, validatedAt, causeOf(requester)));
    });
    return {};
  }
}

function credentialsIn(request: JsonObject): ThreepidCredentials {
  const { sid, client_secret, id_server, id_access_token } = checkDto(CredentialsBody, request);
  return parseCredentials({ sid, client_secret, id_server, id_access_token });
}
