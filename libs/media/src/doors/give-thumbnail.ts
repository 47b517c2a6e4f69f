import { Readable } from 'node:stream';
import { Injectable, StreamableFile } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { describeContent, KEPT, SAFE_HEADERS } from '../content-headers.js';
import type { Asker } from '#kernel/fair-turns';
import type { FindOptions } from '../media-finder.js';
import type { MediaRef } from '../media-id.js';
import type { WantedThumbnail } from '../thumbnails/thumbnail-size.js';
import { Thumbnails } from '../thumbnails/thumbnails.js';

/** What is asked for, and how. */
export interface Wanted extends FindOptions {
  readonly media: MediaRef;
  readonly size: WantedThumbnail;
  readonly asker: Asker;
}

/** Gives out thumbnails over HTTP, or that one has not changed. */
@Injectable()
export class GiveThumbnail {
  constructor(private readonly thumbnails: Thumbnails) {}

  /** Throws as Thumbnails does. */
  async give(request: FastifyRequest, reply: FastifyReply, wanted: Wanted): Promise<StreamableFile | undefined> {
    void reply.headers(SAFE_HEADERS);
    const found = await this.thumbnails.find(wanted.media, wanted.size, wanted.asker, wanted);
    const { bytes: length, stream, etag } = found;
    const { type, disposition } = describeContent(found.type, found.fileName);
    void reply.headers({ etag, 'cache-control': KEPT });
    if (request.headers['if-none-match'] === etag) {
      stream.destroy();
      return void reply.status(304);
    }
    void reply.headers({ 'content-type': type, 'content-disposition': disposition });
    if (request.method === 'HEAD') stream.destroy();
    return new StreamableFile(request.method === 'HEAD' ? Readable.from([]) : stream, { type, disposition, length });
  }
}
