import { Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsObject, IsOptional, IsString } from 'class-validator';
import { DeleteDevices } from '#accounts/commands/delete-devices';
import { DEHYDRATED, type DehydratedRow } from '#accounts/projections/devices.projector';
import { Authenticated, CurrentRequester, OwnersOnly, WhileSuspended } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { queryText, type Query as Parameters, queryInteger } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { parseDeviceId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { KeepDehydratedDevice } from '../commands/keep-dehydrated-device.js';
import { type InboxBatch, readDehydratedInbox } from '../queries/read-dehydrated-inbox.js';
import { MOST_MESSAGES } from '../queries/read-inbox.js';
import { parseDeviceKeys, parseNamedKeys } from './parse-keys.js';

class DehydratedBody {
  @IsString() device_id!: string;
  @IsObject() device_data!: JsonObject;
  @IsOptional() @IsString() initial_device_display_name?: string;
  @IsObject() device_keys!: JsonObject;
  @IsOptional() @IsObject() one_time_keys?: JsonObject;
  @IsOptional() @IsObject() fallback_keys?: JsonObject;
}

class EventsBody {
  @IsOptional() @IsString() next_batch?: string;
}

/** The device of a user that no client holds, to which others send keys meanwhile (MSC3814). */
@WhileSuspended()
@Authenticated()
@OwnersOnly()
@RateLimited('default')
@Controller('_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device')
export class DehydratedDeviceController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  @Put()
  async put(
    @CurrentRequester() requester: Requester,
    @JsonBody(DehydratedBody) body: DehydratedBody,
  ): Promise<{ device_id: string }> {
    const deviceId = parseDeviceId(body.device_id);
    // All is read before anything is done.
    const upload = {
      deviceKeys: parseDeviceKeys(body.device_keys, requester.userId, deviceId),
      oneTimeKeys: parseNamedKeys('one_time_keys', body.one_time_keys),
      fallbackKeys: parseNamedKeys('fallback_keys', body.fallback_keys),
    };
    const { device_data: data, initial_device_display_name: name } = body;
    await this.commands.execute(
      new KeepDehydratedDevice(requester, {
        deviceId,
        data,
        displayName: name,
        upload,
      }),
    );
    return { device_id: deviceId };
  }

  @Get()
  get(@CurrentRequester() requester: Requester): Promise<DehydratedRow> {
    return this.#find(requester);
  }

  @Delete()
  async delete(@CurrentRequester() requester: Requester): Promise<{ device_id: string }> {
    const { device_id: deviceId } = await this.#find(requester);
    await this.commands.execute(new DeleteDevices(requester, [deviceId]));
    return { device_id: deviceId };
  }

  @Get(':deviceId/events')
  async events(
    @CurrentRequester() requester: Requester,
    @Param('deviceId') deviceId: string,
    @Query() query: Parameters,
  ): Promise<RawJson> {
    const limit = queryInteger(query, 'limit', { min: 1, cap: MOST_MESSAGES });
    const { events, next, isLast } = await this.#read(requester, deviceId, queryText(query, 'from'), limit);
    return batchOf(events, isLast ? undefined : next);
  }

  /** As clients asked before the proposal was changed: they go on until nothing is there. */
  @Post(':deviceId/events')
  @HttpCode(200)
  async oldEvents(
    @CurrentRequester() requester: Requester,
    @Param('deviceId') deviceId: string,
    @JsonBody(EventsBody, { allowEmpty: true })
    { next_batch: from }: EventsBody,
  ): Promise<RawJson> {
    const { events, next } = await this.#read(requester, deviceId, from);
    return batchOf(events, next);
  }

  async #read({ userId }: Requester, deviceId: string, from?: string, limit?: number): Promise<InboxBatch> {
    const known = await DEHYDRATED.get(this.views, [userId]);
    if (known?.device_id !== deviceId) throw new MatrixError('M_FORBIDDEN', 'This is not your dehydrated device');
    return readDehydratedInbox(this.views, [userId, known.device_id], from, limit);
  }

  async #find({ userId }: Requester): Promise<DehydratedRow> {
    const row = await DEHYDRATED.get(this.views, [userId]);
    if (row === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no dehydrated device');
    return row;
  }
}

function batchOf(events: readonly string[], next: string | undefined): RawJson {
  return new RawJson(
    `{"events":[${events.join()}]${next === undefined ? '' : `,"next_batch":${JSON.stringify(next)}`}}`,
  );
}
