import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomAlias, RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { authStateOf } from '#protocol/event-auth/auth-state';
import { levelToSend, powerLevelOf } from '#protocol/event-auth/power-levels';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { ROOMS } from '#rooms/projections/room-summary.projector';
import { findStateEvents } from '#rooms/queries/find-state-events';
import { findMembership } from '#rooms/reading/find-membership';
import { Aliases } from '../aliases.js';
import { findAlias } from '../queries/find-alias.js';

/**
 * Takes an alias away: client-server API, "Room aliases". Who made it may, whoever has the level for m.room.canonical_alias
 * in the room, a server administrator, and an application service in its namespaces. That the room's canonical alias names it
 * no more follows from the fact. Throws
 * M_NOT_FOUND, M_FORBIDDEN, M_EXCLUSIVE.
 */
export class DeleteAlias {
  constructor(
    readonly requester: Requester,
    readonly alias: RoomAlias,
  ) {}
}

@CommandHandler(DeleteAlias)
export class DeleteAliasHandler implements ICommandHandler<DeleteAlias> {
  constructor(
    private readonly aliases: Aliases,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ requester, alias }: DeleteAlias): Promise<void> {
    const row = await findAlias(this.views, alias);
    if (row === undefined) throw new MatrixError('M_NOT_FOUND', `Unknown room alias: ${alias}`);
    const isOfService = this.aliases.checkNamespaces(alias, requester);
    const { userId, isAdmin } = requester;
    if (row.creator !== userId && !isAdmin && !isOfService && !(await this.#hasLevel(row.room_id, userId))) {
      throw new MatrixError('M_FORBIDDEN', 'You may not delete this alias');
    }
    await this.aliases.release(alias, row.room_id, requester);
  }

  async #hasLevel(roomId: RoomId, userId: UserId): Promise<boolean> {
    if ((await findMembership(this.views, roomId, userId)) !== 'join') return false;
    const summary = await ROOMS.get(this.views, [roomId]);
    const version = summary && findRoomVersion(summary.version);
    if (version === undefined) return false;
    const events = await findStateEvents(this.views, roomId, ['m.room.create', 'm.room.power_levels']);
    const state = authStateOf(events);
    return powerLevelOf(userId, state, version) >= levelToSend('m.room.canonical_alias', true, state, version);
  }
}
