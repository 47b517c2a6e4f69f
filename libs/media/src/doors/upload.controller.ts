import { Controller, Get, HttpCode, Param, Post, Put, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { queryBoolean, queryText, type Query as QueryOf } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { Streamed, type StreamedBody, StreamsBody } from '#http/streamed-body';
import type { Requester } from '#kernel/requester';
import { CreateMedia, type ReservedMedia } from '../commands/create-media.js';
import { type SentContent, UploadMedia } from '../commands/upload-media.js';
import { type MediaRef, mxcOf, parseMediaRef } from '../media-id.js';
import { Blurhashes } from '../pictures/blurhashes.js';
import { readName, readType } from '../uploads/parse-about.js';
import { UploadLimits } from '../uploads/upload-limits.js';

/** Uploads: client-server API, "Content repository". */
@Controller()
@Authenticated()
@RateLimited('default')
export class UploadController {
  constructor(
    private readonly commands: CommandBus,
    private readonly limits: UploadLimits,
    private readonly blurhashes: Blurhashes,
  ) {}

  /** With MSC2448, under the names that it has until it is accepted. */
  @Post(['_matrix/media/v3/upload', '_matrix/media/r0/upload'])
  @HttpCode(200)
  @StreamsBody()
  async upload(
    @CurrentRequester() requester: Requester,
    @Query() query: QueryOf,
    @Streamed() body: StreamedBody,
  ): Promise<object> {
    const isBlurhashWanted = queryBoolean(query, 'xyz.amorgan.generate_blurhash') === true;
    const media = await this.#upload(requester, sentContent(query, body));
    const blurhash = isBlurhashWanted ? await this.blurhashes.find(media, requester.userId) : undefined;
    return { content_uri: mxcOf(media), 'xyz.amorgan.blurhash': blurhash };
  }

  /** The documents of 2014 and 2015 call what it answers by either name. */
  @Post('_matrix/media/v1/upload')
  @HttpCode(200)
  @StreamsBody()
  async uploadV1(
    @CurrentRequester() requester: Requester,
    @Query() query: QueryOf,
    @Streamed() body: StreamedBody,
  ): Promise<object> {
    const uri = mxcOf(await this.#upload(requester, sentContent(query, body)));
    return { content_uri: uri, 'content-uri': uri };
  }

  @Put(['_matrix/media/v3/upload/:serverName/:mediaId', '_matrix/media/r0/upload/:serverName/:mediaId'])
  @StreamsBody()
  async fill(
    @CurrentRequester() requester: Requester,
    @Param('serverName') serverName: string,
    @Param('mediaId') mediaId: string,
    @Query() query: QueryOf,
    @Streamed() body: StreamedBody,
  ): Promise<object> {
    await this.#upload(requester, sentContent(query, body), parseMediaRef(serverName, mediaId));
    return {};
  }

  @Post('_matrix/media/v1/create')
  @HttpCode(200)
  async create(@CurrentRequester() requester: Requester): Promise<object> {
    const { media, expiresAt } = await this.commands.execute<CreateMedia, ReservedMedia>(new CreateMedia(requester));
    return { content_uri: mxcOf(media), unused_expires_at: expiresAt };
  }

  @Get([
    '_matrix/client/v1/media/config',
    '_matrix/media/v3/config',
    '_matrix/media/r0/config',
    '_matrix/media/v1/config',
  ])
  config(): object {
    return { 'm.upload.size': this.limits.maxBytes };
  }

  #upload(requester: Requester, sent: SentContent, reserved?: MediaRef): Promise<MediaRef> {
    return this.commands.execute<UploadMedia, MediaRef>(new UploadMedia(requester, sent, reserved));
  }
}

function sentContent(query: QueryOf, { stream, type, bytes }: StreamedBody): SentContent {
  return { stream, bytes, type: readType(type), name: readName(queryText(query, 'filename')) };
}
