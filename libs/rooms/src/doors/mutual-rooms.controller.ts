import { Controller, Get, Inject, Query } from '@nestjs/common';
import { AsksAboutUser, Authenticated, CurrentRequester } from '#http/authenticated';
import { queryText, type Query as QueryValues, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { readUserId } from '#http/read-user-id';
import { isRoomId, type RoomId, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { listMutualRooms } from '../queries/list-mutual-rooms.js';

/** "User IDs with localparts containing characters outside the range U+0021 to U+007E, or with an empty localpart": not these. */
const COMPLIANT = /^@[!-9;-~]+:/;

/** The rooms that one shares with somebody: client-server API, "Mutual Rooms". */
@Controller('_matrix/client')
@Authenticated()
@AsksAboutUser()
@RateLimited('default')
export class MutualRoomsController {
  constructor(@Inject(VIEWS) private readonly views: Views) {}

  @Get('v1/mutual_rooms')
  async mutualRooms(@CurrentRequester() requester: Requester, @Query() query: QueryValues): Promise<object> {
    const { joined, count, next } = await this.#list(requester, query, queryText(query, 'from'));
    return { joined, count, next_batch: next };
  }

  /** As clients ask for it that are older than v1.19 (MSC2666 before it was merged). */
  @Get('unstable/uk.half-shot.msc2666/user/mutual_rooms')
  async unstable(@CurrentRequester() requester: Requester, @Query() query: QueryValues): Promise<object> {
    const from = queryText(query, 'from') ?? queryText(query, 'batch_token');
    const { joined, count, next } = await this.#list(requester, query, from);
    return { joined, count, next_batch: next, next_batch_token: next };
  }

  async #list(
    requester: Requester,
    query: QueryValues,
    from: string | undefined,
  ): Promise<{ joined: readonly RoomId[]; count: number; next?: string }> {
    const other = readOther(requester, requiredText(query, 'user_id'));
    const after = from === undefined ? undefined : readFrom(from);
    const { joined, count, last } = await listMutualRooms(this.views, requester.userId, other, after);
    return { joined, count, next: last && Buffer.from(last).toString('base64url') };
  }
}

function readOther(requester: Requester, text: string): UserId {
  const other = readUserId(requester, text);
  if (!COMPLIANT.test(other)) throw new MatrixError('M_INVALID_PARAM', 'user_id: no user ID of today');
  if (other === requester.userId) throw new MatrixError('M_INVALID_PARAM', 'user_id: your own');
  return other;
}

/** The room behind which a page begins. */
function readFrom(token: string): RoomId {
  const roomId = Buffer.from(token, 'base64url').toString();
  if (!isRoomId(roomId)) throw new MatrixError('M_INVALID_PARAM', 'from: not a token of this server');
  return roomId;
}
