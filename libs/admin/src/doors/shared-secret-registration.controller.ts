import { Controller, Get, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsBoolean, IsOptional, IsString } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { RegisterAccount } from '#accounts/commands/register-account';
import { type SessionBody, sessionBody } from '#accounts/sessions/session-body';
import { CONFIG, type Config } from '#config/config';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { isRegistrationMac } from '../shared-secret/registration-mac.js';
import { RegistrationNonces } from '../shared-secret/registration-nonces.js';

class RegistrationBody {
  @IsString() nonce!: string;
  @IsString() username!: string;
  @IsString() password!: string;
  @IsString() mac!: string;
  @IsOptional() @IsBoolean() admin?: boolean;
  @IsOptional() @IsString() user_type?: string;
  @IsOptional() @IsString() displayname?: string;
  @IsOptional() @IsBoolean() inhibit_login?: boolean;
}

/**
 * `/_synapse/admin/v1/register`: accounts, also administrators', for tools that know ANNALS_REGISTRATION_SHARED_SECRET,
 * whatever the registration mode. Not of the specification, but what Matrix tools use.
 */
@Controller('_synapse/admin/v1/register')
export class SharedSecretRegistrationController {
  constructor(
    private readonly commands: CommandBus,
    private readonly nonces: RegistrationNonces,
    @Inject(CONFIG) private readonly config: Pick<Config, 'registrationSharedSecret' | 'serverName'>,
  ) {}

  @RateLimited('default')
  @Get()
  nonce(): { nonce: string } {
    this.#getSecret();
    return { nonce: this.nonces.issue() };
  }

  @RateLimited('default')
  @HttpCode(200)
  @Post()
  async register(
    @JsonBody(RegistrationBody) body: RegistrationBody,
    @Req() request: FastifyRequest,
  ): Promise<SessionBody> {
    const secret = this.#getSecret();
    const { nonce, username, password } = body;
    const admin = body.admin === true;
    if (!this.nonces.take(nonce)) throw new MatrixError('M_UNKNOWN', 'Unrecognised nonce', { status: 400 });
    const vouched = { nonce, username, password, admin, userType: body.user_type ?? undefined };
    if (!isRegistrationMac(body.mac, secret, vouched)) {
      throw new MatrixError('M_UNKNOWN', 'HMAC incorrect', { status: 403 });
    }
    const account = await this.commands.execute(
      new RegisterAccount({
        username,
        via: 'shared-secret',
        password,
        admin,
        displayname: body.displayname ?? undefined,
        session: body.inhibit_login === true ? undefined : {},
        requestId: request.id,
      }),
    );
    return sessionBody(account.userId, this.config.serverName, account.session);
  }

  #getSecret(): string {
    const secret = this.config.registrationSharedSecret;
    if (secret !== undefined) return secret;
    throw new MatrixError('M_UNKNOWN', 'Shared secret registration is not enabled', { status: 400 });
  }
}
