import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ExternalIds } from '#accounts/external-ids';
import { findByThreepid } from '#accounts/queries/threepids';
import { RegistrationRules } from '#accounts/registration-rules';
import { parseThreepid } from '#accounts/threepids/threepid';
import { Authenticated, CurrentRequester, OwnersOnly } from '#http/authenticated';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { SOFTWARE } from '#kernel/software';
import { VIEWS, type Views } from '#projections/views';
import { checkAdmin } from './check-admin.js';

/** Who somebody is by what they have elsewhere, and which names are free, for administrators, in the manner of `UsersController`. */
@Controller('_synapse/admin/v1')
@Authenticated()
@OwnersOnly()
@RateLimited('default')
export class UserLookupsController {
  constructor(
    private readonly rules: RegistrationRules,
    private readonly externalIds: ExternalIds,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  @Get('server_version')
  version(@CurrentRequester() requester: Requester): object {
    checkAdmin(requester);
    return { server_version: `${SOFTWARE.name} ${SOFTWARE.version}` };
  }

  /** Whatever the registration mode is. Throws as `RegistrationRules.checkFree`. */
  @Get('username_available')
  async isAvailable(@CurrentRequester() requester: Requester, @Query() query: QueryOfUrl): Promise<object> {
    checkAdmin(requester);
    await this.rules.checkFree(requiredText(query, 'username'));
    return { available: true };
  }

  @Get('threepid/:medium/users/:address')
  async byThreepid(
    @CurrentRequester() requester: Requester,
    @Param('medium') medium: string,
    @Param('address') address: string,
  ): Promise<object> {
    checkAdmin(requester);
    return userOrNone(await findByThreepid(this.views, parseThreepid(medium, address)));
  }

  @Get('auth_providers/:provider/users/:externalId')
  async byExternalId(
    @CurrentRequester() requester: Requester,
    @Param('provider') provider: string,
    @Param('externalId') subject: string,
  ): Promise<object> {
    checkAdmin(requester);
    return userOrNone(await this.externalIds.find({ provider, subject }));
  }
}

function userOrNone(userId: UserId | undefined): object {
  if (userId === undefined) throw new MatrixError('M_NOT_FOUND', 'Nobody here has it');
  return { user_id: userId };
}
