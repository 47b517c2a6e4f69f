import { Controller, Delete, Get, Param } from '@nestjs/common';
import { IsBoolean, IsOptional, IsString } from 'class-validator';
import { AdminsOnly, CurrentRequester } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { RoomAdministration } from '../purges/room-administration.js';
import type { Purge } from '../purges/room-purges.js';

class DeletionBody {
  @IsOptional() @IsBoolean() purge?: boolean;
  @IsOptional() @IsBoolean() force_purge?: boolean;
  @IsOptional() @IsBoolean() block?: boolean;
  @IsOptional() @IsString() new_room_user_id?: string;
  @IsOptional() @IsString() room_name?: string;
  @IsOptional() @IsString() message?: string;
}

/**
 * `/_synapse/admin/v2/rooms`: tools of operators let rooms go by it, and look what became of that. For administrators. Not of the
 * specification, but what Matrix tools use. Whoever of this server is in the room leaves it. What is asked for besides and is not there is
 * refused: to keep users out of it from then on, to leave its content be, to put them into another room.
 */
@Controller('_synapse/admin/v2/rooms')
@AdminsOnly()
@RateLimited('default')
export class PurgesController {
  constructor(private readonly rooms: RoomAdministration) {}

  @Delete(':roomId')
  async delete(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @JsonBody(DeletionBody) body: DeletionBody,
  ): Promise<object> {
    const { purge, block, new_room_user_id: newRoom } = body;
    if (purge === false || block === true || (newRoom ?? undefined) !== undefined) {
      throw new MatrixError('M_INVALID_PARAM', 'Only "purge" is there: no "block", and no new room');
    }
    return { delete_id: await this.rooms.purge(roomId, { usersLeave: true }, requester.userId) };
  }

  @Get('delete_status/:deleteId')
  async status(@Param('deleteId') id: string): Promise<object> {
    const purge = await this.rooms.findPurge(id);
    if (purge === undefined) throw new MatrixError('M_NOT_FOUND', `There is no deletion ${id}`);
    return statusOf(purge);
  }

  @Get(':roomId/delete_status')
  async statusOfRoom(@Param('roomId') roomId: string): Promise<object> {
    const purges = (await this.rooms.listPurges()).filter((purge) => purge.room_id === roomId);
    if (purges.length === 0) throw new MatrixError('M_NOT_FOUND', `There is no deletion of ${roomId}`);
    return { results: purges.map((purge) => ({ delete_id: purge.purge_id, ...statusOf(purge) })) };
  }
}

function statusOf({ begun, ended }: Purge): object {
  const shutdown_room = {
    kicked_users: begun?.left ?? [],
    failed_to_kick_users: begun?.stayed ?? [],
    local_aliases: [],
    new_room_id: null,
  };
  if (ended?.refused !== undefined) return { status: 'failed', error: ended.refused, shutdown_room };
  if (ended !== undefined) return { status: 'complete', shutdown_room };
  return { status: begun === undefined ? 'scheduled' : 'active', shutdown_room };
}
