import { Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsObject, IsOptional, IsString, ValidateIf } from 'class-validator';
import { Authenticated, CurrentRequester, OwnersOnly, WhileSuspended } from '#http/authenticated';
import { TODAY, under } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { type Query as Parameters, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { parseRoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { BackUpKeys } from '../commands/back-up-keys.js';
import { ChangeBackupVersion } from '../commands/change-backup-version.js';
import { CreateBackupVersion } from '../commands/create-backup-version.js';
import { DeleteBackupVersion } from '../commands/delete-backup-version.js';
import { type BackupScope, RemoveBackedUpKeys } from '../commands/remove-backed-up-keys.js';
import type { BackedUpRooms } from '../facts/backup-facts.js';
import { type BackupInfo, getBackedUpKey, getBackup, readBackup, readRoomBackup } from '../queries/key-backup.js';
import { parseRooms, parseSession, parseSessionId, parseSessions } from './parse-backup.js';

class BackupBody {
  @IsString() algorithm!: string;
  /** NOTSPEC: an object by the specification; servers in use take text too. */
  @ValidateIf(({ auth_data }: BackupBody) => typeof auth_data !== 'string')
  @IsObject()
  auth_data!: JsonObject | string;
  @IsOptional() @IsString() version?: string;
}

interface Changed {
  readonly count: number;
  readonly etag: string;
}

/** Key backups of who asks (client-server API, "Server-side key backups"). */
@WhileSuspended()
@Authenticated()
@OwnersOnly()
@RateLimited('default')
@Controller(under(TODAY, 'room_keys'))
export class KeyBackupController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  @Post('version')
  @HttpCode(200)
  async create(@CurrentRequester() requester: Requester, @JsonBody(BackupBody) body: BackupBody): Promise<object> {
    const version = await this.commands.execute(new CreateBackupVersion(requester, body.algorithm, body.auth_data));
    return { version };
  }

  @Get('version')
  current(@CurrentRequester() { userId }: Requester): Promise<BackupInfo> {
    return getBackup(this.views, userId);
  }

  @Get('version/:version')
  get(@CurrentRequester() { userId }: Requester, @Param('version') version: string): Promise<BackupInfo> {
    return getBackup(this.views, userId, version);
  }

  @Put('version/:version')
  async change(
    @CurrentRequester() requester: Requester,
    @Param('version') version: string,
    @JsonBody(BackupBody) body: BackupBody,
  ): Promise<object> {
    if (body.version !== undefined && body.version !== version) {
      throw new MatrixError('M_INVALID_PARAM', 'The version in the body is another than that in the path');
    }
    await this.commands.execute(new ChangeBackupVersion(requester, version, body.algorithm, body.auth_data));
    return {};
  }

  @Delete('version/:version')
  async delete(@CurrentRequester() requester: Requester, @Param('version') version: string): Promise<object> {
    await this.commands.execute(new DeleteBackupVersion(requester, version));
    return {};
  }

  @Get('keys')
  async keys(@CurrentRequester() { userId }: Requester, @Query() query: Parameters): Promise<RawJson> {
    return new RawJson(await readBackup(this.views, userId, requiredText(query, 'version')));
  }

  @Put('keys')
  putKeys(
    @CurrentRequester() requester: Requester,
    @Query() query: Parameters,
    @JsonBody() body: JsonObject,
  ): Promise<Changed> {
    return this.#put(requester, query, parseRooms(body));
  }

  @Delete('keys')
  removeKeys(@CurrentRequester() requester: Requester, @Query() query: Parameters): Promise<Changed> {
    return this.#remove(requester, query, {});
  }

  @Get('keys/:roomId')
  async roomKeys(
    @CurrentRequester() { userId }: Requester,
    @Param('roomId') roomId: string,
    @Query() query: Parameters,
  ): Promise<RawJson> {
    const version = requiredText(query, 'version');
    return new RawJson(await readRoomBackup(this.views, userId, version, parseRoomId(roomId)));
  }

  @Put('keys/:roomId')
  putRoomKeys(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Query() query: Parameters,
    @JsonBody() body: JsonObject,
  ): Promise<Changed> {
    return this.#put(requester, query, new Map([[parseRoomId(roomId), parseSessions(body)]]));
  }

  @Delete('keys/:roomId')
  removeRoomKeys(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Query() query: Parameters,
  ): Promise<Changed> {
    return this.#remove(requester, query, { roomId: parseRoomId(roomId) });
  }

  @Get('keys/:roomId/:sessionId')
  key(
    @CurrentRequester() { userId }: Requester,
    @Param('roomId') roomId: string,
    @Param('sessionId') sessionId: string,
    @Query() query: Parameters,
  ): Promise<object> {
    return getBackedUpKey(this.views, userId, requiredText(query, 'version'), parseRoomId(roomId), sessionId);
  }

  @Put('keys/:roomId/:sessionId')
  putKey(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('sessionId') sessionId: string,
    @Query() query: Parameters,
    @JsonBody() body: JsonObject,
  ): Promise<Changed> {
    const sessions = new Map([[parseSessionId(sessionId), parseSession(body)]]);
    return this.#put(requester, query, new Map([[parseRoomId(roomId), sessions]]));
  }

  @Delete('keys/:roomId/:sessionId')
  removeKey(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('sessionId') sessionId: string,
    @Query() query: Parameters,
  ): Promise<Changed> {
    return this.#remove(requester, query, { roomId: parseRoomId(roomId), sessionId });
  }

  async #put(requester: Requester, query: Parameters, rooms: BackedUpRooms): Promise<Changed> {
    const version = requiredText(query, 'version');
    return changed(await this.commands.execute(new BackUpKeys(requester, version, rooms)));
  }

  async #remove(requester: Requester, query: Parameters, scope: BackupScope): Promise<Changed> {
    const version = requiredText(query, 'version');
    return changed(await this.commands.execute(new RemoveBackedUpKeys(requester, version, scope)));
  }
}

function changed({ count, etag }: { readonly count: number; readonly etag: number }): Changed {
  return { count, etag: String(etag) };
}
