import { Controller, Get, Query } from '@nestjs/common';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { ClientGone } from '#http/client-gone';
import { queryInteger, type Query as QueryOf, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { Previews } from '../previews/previews.js';

/** Previews of pages: client-server API, "GET /_matrix/client/v1/media/preview_url", and the paths before it. */
@Controller()
@Authenticated()
@RateLimited('preview')
export class PreviewController {
  constructor(private readonly previews: Previews) {}

  /** Whatever time is preferred: what is kept is of this hour. */
  @Get(['_matrix/client/v1/media/preview_url', '_matrix/media/v3/preview_url', '_matrix/media/r0/preview_url'])
  preview(
    @CurrentRequester() requester: Requester,
    @Query() query: QueryOf,
    @ClientGone() signal: AbortSignal,
  ): Promise<JsonObject> {
    queryInteger(query, 'ts');
    return this.previews.find(requiredText(query, 'url'), { by: requester.userId, signal });
  }
}
