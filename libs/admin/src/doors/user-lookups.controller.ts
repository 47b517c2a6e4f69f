import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ExternalIds } from '#accounts/external-ids';
import { findByThreepid } from '#accounts/queries/threepids';
import { RegistrationRules } from '#accounts/registration-rules';
import { parseThreepid } from '#accounts/threepids/threepid';
import { AdminsOnly } from '#http/authenticated';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { SOFTWARE } from '#kernel/software';
import { VIEWS, type Views } from '#projections/views';

/** Who somebody is by what they have elsewhere, and which names are free, for administrators, in the manner of `UsersController`. */
@Controller('_synapse/admin/v1')
@AdminsOnly()
@RateLimited('default')
export class UserLookupsController {
  constructor(
    private readonly rules: RegistrationRules,
    private readonly externalIds: ExternalIds,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  @Get('server_version')
  version(): object {
    return { server_version: `${SOFTWARE.name} ${SOFTWARE.version}` };
  }

  /** Whatever the registration mode is. Throws as `RegistrationRules.checkFree`. */
  @Get('username_available')
  async isAvailable(@Query() query: QueryOfUrl): Promise<object> {
    await this.rules.checkFree(requiredText(query, 'username'));
    return { available: true };
  }

  @Get('threepid/:medium/users/:address')
  async byThreepid(@Param('medium') medium: string, @Param('address') address: string): Promise<object> {
    return userOrNone(await findByThreepid(this.views, parseThreepid(medium, address)));
  }

  @Get('auth_providers/:provider/users/:externalId')
  async byExternalId(@Param('provider') provider: string, @Param('externalId') subject: string): Promise<object> {
    return userOrNone(await this.externalIds.find({ provider, subject }));
  }
}

function userOrNone(userId: UserId | undefined): object {
  if (userId === undefined) throw new MatrixError('M_NOT_FOUND', 'Nobody here has it');
  return { user_id: userId };
}
