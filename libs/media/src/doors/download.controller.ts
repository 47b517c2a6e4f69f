import { Controller, Get, Inject, Param, Query, Req, Res, type StreamableFile } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { Authenticated, CurrentRequester, FindRequester, OptionallyAuthenticated } from '#http/authenticated';
import { queryBoolean, type Query as QueryOf } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { parseMediaRef } from '../media-id.js';
import { readTimeout } from '../read-timeout.js';
import { GiveContent } from './give-content.js';

interface DownloadPath {
  readonly serverName: string;
  readonly mediaId: string;
  readonly fileName?: string;
}

/** Downloads, for who says who they are: client-server API, "GET /_matrix/client/v1/media/download". Guests see what rooms show. */
@Controller('_matrix/client/v1/media')
@Authenticated({ guests: true })
@RateLimited('default')
export class DownloadController {
  constructor(private readonly content: GiveContent) {}

  @Get(['download/:serverName/:mediaId', 'download/:serverName/:mediaId/:fileName'])
  download(
    @CurrentRequester() requester: Requester,
    @Param() { serverName, mediaId, fileName }: DownloadPath,
    @Query() query: QueryOf,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile | undefined> {
    const media = parseMediaRef(serverName, mediaId);
    const timeoutMs = readTimeout(query);
    return this.content.give(request, reply, { media, fileName, timeoutMs, remoteFor: requester.userId });
  }
}

/**
 * The same as it was before v1.11, and in 2015. Nobody is given anything here who does not say who they are, as long as the server is frozen;
 * with a token they are given all of it, for clients of that time know no other paths. No answer leads elsewhere, whatever `allow_redirect` says.
 */
@Controller(['_matrix/media/v3', '_matrix/media/r0', '_matrix/media/v1'])
@OptionallyAuthenticated()
@RateLimited('default')
export class OpenDownloadController {
  constructor(
    private readonly content: GiveContent,
    @Inject(CONFIG) private readonly config: Pick<Config, 'media'>,
  ) {}

  @Get(['download/:serverName/:mediaId', 'download/:serverName/:mediaId/:fileName'])
  async download(
    @FindRequester() requester: Requester | undefined,
    @Param() { serverName, mediaId, fileName }: DownloadPath,
    @Query() query: QueryOf,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile | undefined> {
    const media = parseMediaRef(serverName, mediaId);
    const timeoutMs = readTimeout(query);
    // For whom nobody here answers no other server is asked.
    const remoteFor = queryBoolean(query, 'allow_remote') === false ? undefined : requester?.userId;
    if (requester === undefined && this.config.media.isFrozen) throw new MatrixError('M_NOT_FOUND');
    return this.content.give(request, reply, { media, fileName, timeoutMs, remoteFor });
  }
}
