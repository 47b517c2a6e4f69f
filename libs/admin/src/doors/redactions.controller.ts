import { Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { IsArray, IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import { AdminsOnly, CurrentRequester } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { readUserId } from '#http/read-user-id';
import { parseRoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { UserRedactions } from '../redactions/user-redactions.js';

const MOST = 100_000;

class RedactBody {
  @IsArray() @IsString({ each: true }) rooms!: string[];
  @IsOptional() @IsString() reason?: string;
  @IsOptional() @IsInt() @Min(1) @Max(MOST) limit?: number;
  @IsOptional() @IsInt() @Min(0) after_ts?: number;
  @IsOptional() @IsInt() @Min(0) before_ts?: number;
}

const LIMIT = 1_000;

/** Redactions of all that a user wrote, by administrators: not of the specification, but what Matrix tools use. */
@Controller('_synapse/admin/v1/user')
@AdminsOnly()
@RateLimited('default')
export class RedactionsController {
  constructor(private readonly redactions: UserRedactions) {}

  @Post(':userId/redact')
  @HttpCode(200)
  redact(
    @CurrentRequester() requester: Requester,
    @Param('userId') user: string,
    @JsonBody(RedactBody) { rooms, reason, limit = LIMIT, after_ts, before_ts }: RedactBody,
  ): { redact_id: string } {
    const wanted = {
      userId: readUserId(requester, user),
      rooms: rooms.map((room) => parseRoomId(room)),
      limit,
      from: after_ts ?? 0,
      to: before_ts ?? Infinity,
    };
    return { redact_id: this.redactions.begin(wanted, { by: requester.userId, reason }, requester.requestId) };
  }

  @Get('redact_status/:redactId')
  status(@Param('redactId') id: string): object {
    const found = this.redactions.find(id);
    if (found === undefined) throw new MatrixError('M_NOT_FOUND', 'No such redactions, or from before the last start');
    return { status: found.status, failed_redactions: Object.fromEntries(found.failed) };
  }
}
