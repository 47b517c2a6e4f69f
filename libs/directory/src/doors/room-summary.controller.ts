import { Controller, Get, Inject, Param } from '@nestjs/common';
import { FindRequester, OptionallyAuthenticated } from '#http/authenticated';
import { RateLimited } from '#http/rate-limited';
import { isRoomAlias, parseRoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { findAlias } from '../queries/find-alias.js';
import { summariseRoom } from '../queries/summarise-room.js';

/** What a room is like, before one joins it: client-server API, "Room summaries". */
@Controller('_matrix/client/v1')
@OptionallyAuthenticated()
@RateLimited('default')
export class RoomSummaryController {
  constructor(@Inject(VIEWS) private readonly views: Views) {}

  @Get('room_summary/:idOrAlias')
  async summary(
    @FindRequester() requester: Requester | undefined,
    @Param('idOrAlias') idOrAlias: string,
  ): Promise<object> {
    const roomId = isRoomAlias(idOrAlias) ? (await findAlias(this.views, idOrAlias))?.room_id : parseRoomId(idOrAlias);
    if (roomId === undefined) throw new MatrixError('M_NOT_FOUND', 'Unknown room alias');
    return summariseRoom(this.views, roomId, requester?.userId);
  }
}
