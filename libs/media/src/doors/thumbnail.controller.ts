import { Controller, Get, Inject, Param, Query, Req, Res, type StreamableFile } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { Authenticated, CurrentRequester, FindRequester, OptionallyAuthenticated } from '#http/authenticated';
import { ClientGone } from '#http/client-gone';
import { queryBoolean, type Query as QueryOf } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { parseMediaRef } from '../media-id.js';
import { readTimeout } from '../read-timeout.js';
import { readWanted } from '../thumbnails/thumbnail-size.js';
import { GiveThumbnail } from './give-thumbnail.js';

interface MediaPath {
  readonly serverName: string;
  readonly mediaId: string;
}

/** Thumbnails, for who says who they are: client-server API, "GET /_matrix/client/v1/media/thumbnail". Guests see what rooms show. */
@Controller('_matrix/client/v1/media')
@Authenticated({ guests: true })
@RateLimited('default')
export class ThumbnailController {
  constructor(private readonly thumbnails: GiveThumbnail) {}

  @Get('thumbnail/:serverName/:mediaId')
  thumbnail(
    @CurrentRequester() { userId }: Requester,
    @Param() { serverName, mediaId }: MediaPath,
    @Query() query: QueryOf,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @ClientGone() signal: AbortSignal,
  ): Promise<StreamableFile | undefined> {
    const media = parseMediaRef(serverName, mediaId);
    const options = { timeoutMs: readTimeout(query), remoteFor: userId, asker: { by: userId, signal } };
    return this.thumbnails.give(request, reply, { media, size: readWanted(query), ...options });
  }
}

/** The same as it was before v1.11, and in 2015: as OpenDownloadController. */
@Controller(['_matrix/media/v3', '_matrix/media/r0', '_matrix/media/v1'])
@OptionallyAuthenticated()
@RateLimited('default')
export class OpenThumbnailController {
  constructor(
    private readonly thumbnails: GiveThumbnail,
    @Inject(CONFIG) private readonly config: Pick<Config, 'media'>,
  ) {}

  @Get('thumbnail/:serverName/:mediaId')
  async thumbnail(
    @FindRequester() requester: Requester | undefined,
    @Param() { serverName, mediaId }: MediaPath,
    @Query() query: QueryOf,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @ClientGone() signal: AbortSignal,
  ): Promise<StreamableFile | undefined> {
    const media = parseMediaRef(serverName, mediaId);
    const size = readWanted(query, request.url.startsWith('/_matrix/media/v1/'));
    const timeoutMs = readTimeout(query);
    const remoteFor = queryBoolean(query, 'allow_remote') === false ? undefined : requester?.userId;
    if (requester === undefined && this.config.media.isFrozen) throw new MatrixError('M_NOT_FOUND');
    const asker = { by: requester?.userId ?? request.ip, signal };
    return this.thumbnails.give(request, reply, { media, size, asker, timeoutMs, remoteFor });
  }
}
