import { Controller, Param, Put, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsIn, IsInt, IsOptional, Min } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { checkOwn } from '#http/check-own';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { isOldDoor, TODAY_AND_ALPHA, under, V1 } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { parseRoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { SetTyping } from '../commands/set-typing.js';

class TypingBody {
  @IsIn([true, false, 1, 0]) typing!: boolean | 1 | 0;
  @IsOptional() @IsInt() @Min(0) timeout?: number;
}

/** What the specification recommends as the longest time between two requests. */
const DEFAULT_TIMEOUT_MS = 30_000;

/** Typing notifications, the same in 2015 and today (client-server API, "Typing Notifications"). */
@Authenticated()
@RateLimited('default')
@Controller(under([...TODAY_AND_ALPHA, V1], 'rooms/:roomId/typing'))
export class TypingController {
  constructor(private readonly commands: CommandBus) {}

  @Put(':userId')
  async set(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('userId') userId: string,
    @JsonBody(TypingBody) { typing, timeout = DEFAULT_TIMEOUT_MS }: TypingBody,
    @Req() request: FastifyRequest,
  ): Promise<object> {
    checkOwn(requester, userId, 'typing notifications');
    // In 2014 and 2015 whatever is true in Python was: clients of that time send 1.
    if (typeof typing !== 'boolean' && !isOldDoor(request)) {
      throw new MatrixError('M_BAD_JSON', 'typing: must be true or false');
    }
    await this.commands.execute(new SetTyping(requester, parseRoomId(roomId), typing ? timeout : undefined));
    return {};
  }
}
