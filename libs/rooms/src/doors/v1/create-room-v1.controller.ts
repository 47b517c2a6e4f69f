import { Controller, HttpCode, Param, Post, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { V1 } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { BeginRoom } from '../../commands/begin-room.js';
import type { RoomCreated } from '../../commands/create-room.js';
import { optionsOf } from '../create-room.controller.js';
import { CreateRoomDto } from '../create-room.dto.js';
import { askedAddress } from '../invited-address.js';
import { checkContentV1 } from './check-content-v1.js';
import { TransactionAnswers } from '#http/transaction-answers';

/**
 * Rooms made by clients of 2014/15 are as these know them: the create event names its `creator` and the room id ends in the
 * server's name. Of the versions in which both holds this is the newest.
 */
const ROOM_VERSION = '10';

/** Beginning rooms: client-server API v1, "Creation". */
@Authenticated()
@RateLimited('room')
@Controller(V1)
export class CreateRoomV1Controller {
  constructor(
    private readonly commands: CommandBus,
    private readonly answers: TransactionAnswers,
  ) {}

  @Post('createRoom')
  @HttpCode(200)
  create(
    @CurrentRequester() requester: Requester,
    @JsonBody(CreateRoomDto, { exactNumbers: true }) config: CreateRoomDto,
  ): Promise<object> {
    return this.#create(requester, config);
  }

  @Put('createRoom/:txnId')
  createOnce(
    @CurrentRequester() requester: Requester,
    @Param('txnId') txnId: string,
    @JsonBody(CreateRoomDto, { exactNumbers: true }) config: CreateRoomDto,
  ): Promise<object> {
    return this.answers.once(requester, 'createRoom', txnId, () => this.#create(requester, config));
  }

  /**
   * "Rooms default to public visibility if this key is not included": the specification of 2014, "Creation". The options that
   * came to this path in 2015 are those of today.
   */
  async #create(requester: Requester, config: CreateRoomDto): Promise<object> {
    const { visibility = 'public', room_version = ROOM_VERSION } = config;
    const options = optionsOf(requester, { ...config, visibility, room_version });
    for (const { type, content } of options.initial_state ?? []) checkContentV1(type, content);
    try {
      const addresses = (config.invite_3pid ?? []).map((address) => askedAddress(address, true));
      const begin = new BeginRoom(requester, options, addresses);
      const { roomId, roomAlias }: RoomCreated = await this.commands.execute(begin);
      return roomAlias === undefined ? { room_id: roomId } : { room_id: roomId, room_alias: roomAlias };
    } catch (error) {
      // Here the alias is one parameter among others: 400, where the directory itself answers 409.
      if (!(error instanceof MatrixError) || error.errcode !== 'M_ROOM_IN_USE') throw error;
      throw new MatrixError('M_ROOM_IN_USE', error.message, { status: 400 });
    }
  }
}
