import { Controller, Get, Inject, Param } from '@nestjs/common';
import { FindRequester, OptionallyAuthenticated } from '#http/authenticated';
import { RateLimited } from '#http/rate-limited';
import { isRoomAlias, parseRoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { findAlias } from '../queries/find-alias.js';
import { summariseRoom, type SummaryOfRoom } from '../queries/summarise-room.js';

/** What a room is like, before one joins it: client-server API, "Room summaries". */
@Controller('_matrix/client')
@OptionallyAuthenticated()
@RateLimited('default')
export class RoomSummaryController {
  constructor(@Inject(VIEWS) private readonly views: Views) {}

  @Get('v1/room_summary/:idOrAlias')
  async summary(
    @FindRequester() requester: Requester | undefined,
    @Param('idOrAlias') idOrAlias: string,
  ): Promise<object> {
    return this.#summarise(requester, idOrAlias);
  }

  /** As clients ask for it that are older than v1.15: MSC3266 before it was merged, and as it was first written. */
  @Get(['unstable/im.nheko.summary/summary/:idOrAlias', 'unstable/im.nheko.summary/rooms/:idOrAlias/summary'])
  async unstable(
    @FindRequester() requester: Requester | undefined,
    @Param('idOrAlias') idOrAlias: string,
  ): Promise<object> {
    const summary = await this.#summarise(requester, idOrAlias);
    return {
      ...summary,
      'im.nheko.summary.encryption': summary.encryption,
      'im.nheko.summary.room_version': summary.room_version,
    };
  }

  async #summarise(requester: Requester | undefined, idOrAlias: string): Promise<SummaryOfRoom> {
    const roomId = isRoomAlias(idOrAlias) ? (await findAlias(this.views, idOrAlias))?.room_id : parseRoomId(idOrAlias);
    if (roomId === undefined) throw new MatrixError('M_NOT_FOUND', 'Unknown room alias');
    return summariseRoom(this.views, roomId, requester?.userId);
  }
}
