import { Controller, Get, Param, Query, UseGuards } from '@nestjs/common';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { SPECIFICATION_VERSIONS } from '#kernel/specification-versions';
import { LongTermKeys } from '../long-term-keys.js';
import { StoredInvites } from '../invitations/stored-invites.js';
import { IdentityRole } from './identity-role.js';

/** What anybody may ask of the identity server: identity service API, "Status check" and "Key management". */
@UseGuards(IdentityRole)
@Controller('_matrix/identity')
export class IdentityKeysController {
  constructor(
    private readonly keys: LongTermKeys,
    private readonly invites: StoredInvites,
  ) {}

  @RateLimited('default')
  @Get(['v2', 'api/v1'])
  status(): object {
    return {};
  }

  @RateLimited('default')
  @Get('versions')
  versions(): { versions: readonly string[] } {
    return { versions: SPECIFICATION_VERSIONS };
  }

  @RateLimited('default')
  @Get(['v2/pubkey/isvalid', 'api/v1/pubkey/isvalid'])
  isValid(@Query() query: QueryOfUrl): { valid: boolean } {
    return { valid: this.keys.isValid(requiredText(query, 'public_key')) };
  }

  @RateLimited('default')
  @Get(['v2/pubkey/ephemeral/isvalid', 'api/v1/pubkey/ephemeral/isvalid'])
  async isEphemeralValid(@Query() query: QueryOfUrl): Promise<{ valid: boolean }> {
    return { valid: await this.invites.isKeyValid(requiredText(query, 'public_key')) };
  }

  @RateLimited('default')
  @Get(['v2/pubkey/:keyId', 'api/v1/pubkey/:keyId'])
  async key(@Param('keyId') keyId: string): Promise<{ public_key: string }> {
    const publicKey = await this.keys.find(keyId);
    if (publicKey === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such key');
    return { public_key: publicKey };
  }
}
