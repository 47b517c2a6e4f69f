import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomAlias, RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { checkJoined } from '#rooms/reading/open-room';
import { Aliases } from '../aliases.js';
import { ROOMS } from '#rooms/projections/room-summary.projector';

/**
 * Lets an alias of this server point to a room: client-server API, "Room aliases". Only for members of the room, administrators, and
 * application services in their namespaces. Throws M_UNKNOWN with status 409 where the alias is taken, M_INVALID_PARAM, M_FORBIDDEN,
 * M_EXCLUSIVE; M_NOT_FOUND to those who need not be members.
 */
export class CreateAlias {
  constructor(
    readonly requester: Requester,
    readonly alias: RoomAlias,
    readonly roomId: RoomId,
  ) {}
}

@CommandHandler(CreateAlias)
export class CreateAliasHandler implements ICommandHandler<CreateAlias> {
  constructor(
    private readonly aliases: Aliases,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ requester, alias, roomId }: CreateAlias): Promise<void> {
    this.aliases.checkOurs(alias);
    const isOfService = this.aliases.checkNamespaces(alias, requester);
    if (!requester.isAdmin && !isOfService) await checkJoined(this.views, roomId, requester.userId);
    else if (!(await ROOMS.has(this.views, [roomId]))) {
      throw new MatrixError('M_NOT_FOUND', 'Unknown room');
    }
    await this.aliases.claim(alias, roomId, requester).catch((error: unknown) => {
      if (!(error instanceof MatrixError) || error.errcode !== 'M_ROOM_IN_USE') throw error;
      // M_ROOM_IN_USE is for creating rooms.
      throw new MatrixError('M_UNKNOWN', error.message, { status: 409 });
    });
  }
}
