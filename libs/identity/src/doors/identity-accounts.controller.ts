import { Controller, Get, HttpCode, Inject, Post, UseGuards } from '@nestjs/common';
import { IsString } from 'class-validator';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { RateLimits } from '#http/rate-limits';
import { isServerName, type ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { HOMESERVERS, type Homeservers } from '../homeservers.js';
import { IdentityAccounts } from '../identity-accounts.js';
import { BeforeTerms, CurrentCaller, FromIdentityUser, type IdentityCaller } from './identity-user.js';
import { IdentityRole } from './identity-role.js';

class GrantBody {
  @IsString() access_token!: string;
  @IsString() matrix_server_name!: string;
}

/** Who uses the identity server: identity service API, "Authentication". */
@Controller('_matrix/identity/v2/account')
export class IdentityAccountsController {
  constructor(
    private readonly accounts: IdentityAccounts,
    @Inject(HOMESERVERS) private readonly homeservers: Homeservers,
    private readonly limits: RateLimits,
  ) {}

  /**
   * Counts for the user: homeservers do it for all of theirs, from one address. Throws M_UNAUTHORIZED where the homeserver does not say whose the OpenID token is, and
   * M_LIMIT_EXCEEDED.
   */
  @UseGuards(IdentityRole)
  @RateLimited('unknown-server')
  @HttpCode(200)
  @Post('register')
  async register(@JsonBody(GrantBody) body: GrantBody): Promise<{ token: string; access_token: string }> {
    const { access_token: openIdToken, matrix_server_name: server } = body;
    if (!isServerName(server)) throw new MatrixError('M_INVALID_PARAM', 'matrix_server_name: must name a server');
    const user = await this.homeservers.findOpenIdUser(server as ServerName, openIdToken);
    if (user === undefined) throw new MatrixError('M_UNAUTHORIZED', 'The OpenID token is of nobody');
    this.limits.checkForUser('login', `identity tokens of ${user.userId}`);
    const token = await this.accounts.issueToken(user);
    // Some clients look for the token by the name that it had while the API was new.
    return { token, access_token: token };
  }

  @FromIdentityUser()
  @RateLimited('default')
  @Get()
  account(@CurrentCaller() { userId }: IdentityCaller): { user_id: string } {
    return { user_id: userId };
  }

  @FromIdentityUser()
  @BeforeTerms()
  @RateLimited('default')
  @HttpCode(200)
  @Post('logout')
  async logOut(@CurrentCaller() { userId, token }: IdentityCaller): Promise<object> {
    await this.accounts.endToken(userId, token);
    return {};
  }
}
