import { Controller, Get, HttpCode, Inject, Post, UseGuards } from '@nestjs/common';
import { IsArray, IsString } from 'class-validator';
import { CONFIG, type Config } from '#config/config';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { IdentityAccounts } from '../identity-accounts.js';
import { IdentityRole } from './identity-role.js';
import { BeforeTerms, CurrentCaller, FromIdentityUser, type IdentityCaller } from './identity-user.js';

class AcceptanceBody {
  @IsArray() @IsString({ each: true }) user_accepts!: string[];
}

/** What has to be accepted by who uses the identity server: identity service API, "Terms of service". */
@Controller('_matrix/identity/v2/terms')
export class IdentityTermsController {
  constructor(
    private readonly accounts: IdentityAccounts,
    @Inject(CONFIG)
    private readonly config: Pick<Config, 'identityRole' | 'serverName'>,
  ) {}

  @UseGuards(IdentityRole)
  @RateLimited('default')
  @Get()
  terms(): { policies: object } {
    const { terms } = this.config.identityRole ?? {};
    if (terms === undefined) return { policies: {} };
    const { url, version } = terms;
    return {
      policies: {
        terms_of_service: {
          version,
          en: { name: `Terms of ${this.config.serverName}`, url },
        },
      },
    };
  }

  @FromIdentityUser()
  @BeforeTerms()
  @RateLimited('default')
  @HttpCode(200)
  @Post()
  async accept(
    @CurrentCaller() { userId }: IdentityCaller,
    @JsonBody(AcceptanceBody) { user_accepts: urls }: AcceptanceBody,
  ): Promise<object> {
    await this.accounts.acceptTerms(userId, urls);
    return {};
  }
}
