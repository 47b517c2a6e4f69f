import { Controller, HttpCode, Param, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsInt, IsOptional, IsString, MaxLength } from 'class-validator';
import { Authenticated, CurrentRequester, WhileSuspended } from '#http/authenticated';
import { TODAY } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { readUserId } from '#http/read-user-id';
import { parseEventId, parseRoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { type Reportable, ReportContent } from '../commands/report-content.js';

const MAX_REASON = 2_000;

class ReportDto {
  @IsString()
  @MaxLength(MAX_REASON)
  reason!: string;
}

class ReportEventDto {
  @IsOptional()
  @IsString()
  @MaxLength(MAX_REASON)
  reason?: string;

  /** Of how offensive it is; gone since v1.18, and never looked at. */
  @IsOptional()
  @IsInt()
  score?: number;
}

/** Telling the operators of what is bad: client-server API, "Reporting Content". */
@WhileSuspended()
@Controller([...TODAY])
@Authenticated()
@RateLimited('report')
export class ReportsController {
  constructor(private readonly commands: CommandBus) {}

  @Post('rooms/:roomId/report/:eventId')
  @HttpCode(200)
  event(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('eventId') eventId: string,
    @JsonBody(ReportEventDto, { allowEmpty: true }) { reason = '' }: ReportEventDto,
  ): Promise<object> {
    const what = { kind: 'event', roomId: parseRoomId(roomId), eventId: parseEventId(eventId) } as const;
    return this.#report(requester, what, reason);
  }

  @Post('rooms/:roomId/report')
  @HttpCode(200)
  room(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @JsonBody(ReportDto) { reason }: ReportDto,
  ): Promise<object> {
    return this.#report(requester, { kind: 'room', roomId: parseRoomId(roomId) }, reason);
  }

  @Post('users/:userId/report')
  @HttpCode(200)
  user(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @JsonBody(ReportDto) { reason }: ReportDto,
  ): Promise<object> {
    return this.#report(requester, { kind: 'user', userId: readUserId(requester, userId) }, reason);
  }

  async #report(requester: Requester, what: Reportable, reason: string): Promise<object> {
    await this.commands.execute(new ReportContent(requester, what, reason));
    return {};
  }
}
