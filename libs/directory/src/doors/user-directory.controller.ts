import { Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { IsInt, IsOptional, IsString, Min } from 'class-validator';
import { ReadableProfiles } from '#accounts/reading/readable-profiles';
import { Authenticated, CurrentRequester, WhileSuspended } from '#http/authenticated';
import { TODAY } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { type FoundUsers, searchUsers } from '../queries/search-users.js';

const DEFAULT_LIMIT = 10;
const MAX_LIMIT = 50;

class UserSearchDto {
  @IsString()
  search_term!: string;

  @IsOptional()
  @IsInt()
  @Min(0)
  limit?: number;
}

/** Users by their names: client-server API, "User Directory". */
@WhileSuspended()
@Controller([...TODAY])
@Authenticated()
@RateLimited('search')
export class UserDirectoryController {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly profiles: ReadableProfiles,
  ) {}

  @Post('user_directory/search')
  @HttpCode(200)
  search(
    @CurrentRequester() requester: Requester,
    @JsonBody(UserSearchDto)
    { search_term: term, limit = DEFAULT_LIMIT }: UserSearchDto,
  ): Promise<FoundUsers> {
    return searchUsers(this.views, this.profiles, requester.userId, {
      term,
      limit: Math.min(limit, MAX_LIMIT),
    });
  }
}
