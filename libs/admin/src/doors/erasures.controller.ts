import { Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { IsBoolean, IsOptional } from 'class-validator';
import { AdminsOnly, CurrentRequester } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { Requester } from '#kernel/requester';
import { ErasureAdministration, type ShownErasure } from '../erasures/erasure-administration.js';
import { readLocalUser } from './read-local-user.js';

class EraseBody {
  @IsOptional() @IsBoolean() here?: boolean;
}

/** Erasures of all that a user has said and kept, for administrators: as `annals users erase`, and no other server has it. */
@Controller('_matrix/client/unstable/dev.annals.admin')
@AdminsOnly()
@RateLimited('default')
export class ErasuresController {
  constructor(private readonly erasures: ErasureAdministration) {}

  @Post('users/:userId/erase')
  @HttpCode(200)
  async erase(
    @CurrentRequester() requester: Requester,
    @Param('userId') user: string,
    @JsonBody(EraseBody, { allowEmpty: true }) { here = false }: EraseBody,
  ): Promise<{ erasure_id: string }> {
    const userId = readLocalUser(requester, user);
    return { erasure_id: await this.erasures.order(userId, { here }, requester.userId) };
  }

  @Get('erasures/:erasureId')
  async status(@Param('erasureId') id: string): Promise<object> {
    return statusOf(await this.erasures.status(id));
  }
}

function statusOf({ user_id, at, begun, ended, progress }: ShownErasure): object {
  if (ended === undefined) return { user_id, at, status: begun === undefined ? 'scheduled' : 'active', progress };
  const { removed, kept, refused } = ended;
  if (refused !== undefined) return { user_id, at, status: 'failed', error: refused };
  return { user_id, at, status: 'complete', removed, kept };
}
