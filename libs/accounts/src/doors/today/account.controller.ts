import { Controller, HttpCode, Inject, Optional, Post, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsBoolean, IsOptional, IsString } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { TODAY, TODAY_AND_ALPHA, under } from '#http/client-paths';
import {
  Authenticated,
  CurrentRequester,
  FindRequester,
  NotByOAuth,
  OptionallyAuthenticated,
  OwnersOnly,
  WhileSuspended,
} from '#http/authenticated';
import { checkDto, JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { causeOf } from '../../accounts.js';
import { ChangePassword } from '../../commands/change-password.js';
import { checkPassword } from '../../credentials/password-hasher.js';
import { DeactivateAccount } from '../../commands/deactivate-account.js';
import { Flows } from '../../interactive-auth/flows.js';
import { InteractiveAuth } from '../../interactive-auth/interactive-auth.js';
import { listThreepids } from '../../queries/threepids.js';
import { BOUND_ELSEWHERE, type BoundElsewhere, type UnbindResult } from '../../threepids/bound-elsewhere.js';

class PasswordBody {
  @IsString() new_password!: string;
  @IsOptional() @IsBoolean() logout_devices?: boolean;
}

class DeactivateBody {
  @IsOptional() @IsBoolean() erase?: boolean;
  @IsOptional() @IsString() id_server?: string;
}

/** The password and the end of an account (client-server API, "Account management"). */
@WhileSuspended()
@Authenticated()
@OwnersOnly()
@RateLimited('default')
@Controller()
export class AccountController {
  constructor(
    private readonly commands: CommandBus,
    private readonly auth: InteractiveAuth,
    private readonly flows: Flows,
    @Inject(VIEWS) private readonly views: Pick<Views, 'scan'>,
    @Optional() @Inject(BOUND_ELSEWHERE) private readonly bound?: BoundElsewhere,
  ) {}

  /** Who cannot log in any more shows by a mail that the account is theirs: then there is no token. */
  @OptionallyAuthenticated()
  @NotByOAuth()
  @RateLimited('login')
  @HttpCode(200)
  @Post(under(TODAY_AND_ALPHA, 'account/password'))
  async changePassword(
    @FindRequester() requester: Requester | undefined,
    @JsonBody() body: JsonObject,
    @Req() request: FastifyRequest,
  ): Promise<object> {
    if (requester === undefined) return this.#recover(body, request);
    if (requester.isGuest === true) throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN');
    const operation = await this.flows.confirmation('POST /account/password', requester.userId);
    const session = await this.auth.authorise(operation, body);
    const wanted = checkDto(PasswordBody, session.body);
    const logoutDevices = wanted.logout_devices ?? true;
    const change = { password: wanted.new_password, logoutDevices, keepDevice: requester.deviceId };
    await this.auth.doAndClose(session, () =>
      this.commands.execute(new ChangePassword(requester.userId, change, causeOf(requester))),
    );
    return {};
  }

  @NotByOAuth()
  @RateLimited('login')
  @HttpCode(200)
  @Post(under(TODAY, 'account/deactivate'))
  async deactivate(
    @CurrentRequester() requester: Requester,
    @JsonBody(undefined, { allowEmpty: true }) body: JsonObject,
  ): Promise<{ id_server_unbind_result: UnbindResult }> {
    // Users of an application service have no password, and it has full control over them.
    if (requester.isServicesOwn === true) return (await this.#planEnd(requester, body))();
    const operation = await this.flows.confirmation('POST /account/deactivate', requester.userId);
    const session = await this.auth.authorise(operation, body);
    return this.auth.doAndClose(session, await this.#planEnd(requester, session.body));
  }

  /** What ends an account as a request says. Throws for one that says what may not be, before anything is done. */
  async #planEnd(
    requester: Requester,
    body: JsonObject,
  ): Promise<() => Promise<{ id_server_unbind_result: UnbindResult }>> {
    const { userId } = requester;
    const { erase = false, id_server: idServer } = checkDto(DeactivateBody, body);
    const forget = await this.bound?.planForgetting(userId, await listThreepids(this.views, userId), idServer);
    return async () => {
      await this.commands.execute(new DeactivateAccount(userId, erase, causeOf(requester)));
      return { id_server_unbind_result: (await forget?.()) ?? 'success' };
    };
  }

  /** Throws M_MISSING_TOKEN where no flow leads to that. */
  async #recover(body: JsonObject, request: FastifyRequest): Promise<object> {
    const flows = this.flows.toRecover();
    if (flows.length === 0) throw new MatrixError('M_MISSING_TOKEN');
    // Said before anything is asked for: what was shown for it could not be used a second time.
    if (typeof body['new_password'] === 'string') checkPassword(body['new_password']);
    const operation = { name: 'POST /account/password', purpose: 'recovery', flows } as const;
    const session = await this.auth.authorise(operation, body, request);
    const { new_password: password, logout_devices: logoutDevices = true } = checkDto(PasswordBody, session.body);
    const { userId } = session.learnt;
    if (userId === undefined) throw new Error('the stages of a recovery have not said whose account it is');
    const cause = { actor: userId, correlation: request.id };
    await this.auth.doAndClose(session, () =>
      this.commands.execute(new ChangePassword(userId, { password, logoutDevices }, cause)),
    );
    return {};
  }
}
