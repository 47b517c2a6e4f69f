import { Controller, Get, Inject, Param, Query, type StreamableFile } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { ClientGone } from '#http/client-gone';
import type { Query as QueryOf } from '#http/query';
import type { ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { describeContent } from '#media/content-headers';
import { MediaFinder } from '#media/media-finder';
import { parseMediaId } from '#media/media-id';
import { readTimeout } from '#media/read-timeout';
import { MEDIA_STORE, type MediaStore } from '#media/store/media-store';
import { readWanted } from '#media/thumbnails/thumbnail-size';
import { Thumbnails } from '#media/thumbnails/thumbnails';
import { FromServer, Origin } from './from-server.js';
import { inTwoParts } from './in-two-parts.js';

/** Media of this server, for others: server-server API, "Content Repository". */
@Controller('_matrix/federation/v1/media')
@FromServer()
export class MediaController {
  constructor(
    private readonly finder: MediaFinder,
    private readonly thumbnails: Thumbnails,
    @Inject(MEDIA_STORE) private readonly store: MediaStore,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  @Get('download/:mediaId')
  async download(@Param('mediaId') mediaId: string, @Query() query: QueryOf): Promise<StreamableFile> {
    const media = { server: this.config.serverName, mediaId: parseMediaId(mediaId) };
    const found = await this.finder.find(media, { timeoutMs: readTimeout(query) });
    const opened = await this.store.open(found.sha256);
    if (opened === undefined) throw new MatrixError('M_NOT_FOUND');
    const { type, disposition } = describeContent(found.type, found.name);
    return inTwoParts(`Content-Type: ${type}\r\nContent-Disposition: ${disposition}`, opened.stream, opened.bytes);
  }

  /** As `download`, of what is made of it. */
  @Get('thumbnail/:mediaId')
  async thumbnail(
    @Origin() by: ServerName,
    @Param('mediaId') mediaId: string,
    @Query() query: QueryOf,
    @ClientGone() signal: AbortSignal,
  ): Promise<StreamableFile> {
    const media = { server: this.config.serverName, mediaId: parseMediaId(mediaId) };
    const timeoutMs = readTimeout(query);
    const found = await this.thumbnails.find(media, readWanted(query), { by, signal }, { timeoutMs });
    const { type, disposition } = describeContent(found.type, found.fileName);
    return inTwoParts(`Content-Type: ${type}\r\nContent-Disposition: ${disposition}`, found.stream, found.bytes);
  }
}
