import { Inject, Injectable, Optional } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { SetAdminByGroups } from '#accounts/commands/set-admin-by-groups';
import { CONFIG, type Config } from '#config/config';
import type { AccountRules } from '#config/sso/account-rules';
import { isRoomAlias, parseRoomId, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { messageOf } from '#kernel/message-of';
import type { Requester } from '#kernel/requester';
import { LOGGER, type Logger } from '#observability/logger';
import { VIEWS, type Views } from '#projections/views';
import { ALIAS_BOOK, type AliasBook } from '#rooms/alias-book';
import { InviteUser } from '#rooms/commands/invite-user';
import { JoinRoom } from '#rooms/commands/join-room';
import { findMembership } from '#rooms/reading/find-membership';
import { REMOTE_ROOMS, type RemoteRooms } from '#rooms/remote-rooms';

/** Whose groups, and where they are known. */
export interface GroupsElsewhere {
  readonly userId: UserId;
  readonly provider: string;
  readonly groups: readonly string[];
  readonly rules: AccountRules;
  readonly requestId: string | undefined;
}

/** Whoever logs in waits so long for the rooms of their groups; the rest comes behind that. */
const WAIT_MS = 5_000;

/** What follows from the groups that somebody is in elsewhere, each time that they log in. */
@Injectable()
export class ApplyGroups {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(ALIAS_BOOK) private readonly aliases: AliasBook,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Inject(LOGGER) private readonly logger: Logger,
    @Optional() @Inject(REMOTE_ROOMS) private readonly others?: RemoteRooms,
  ) {}

  /**
   * Makes them an administrator or takes that back, then has them join the rooms in which they have never been: who was asked out of one, or
   * left, is not put back. That a room cannot be joined is logged, and no log-in fails of it. Throws as `SetAdminByGroups`.
   */
  async apply(of: GroupsElsewhere): Promise<void> {
    const { userId, provider, groups, rules, requestId } = of;
    if (rules.adminGroups !== undefined) {
      const isAdmin = rules.adminGroups.some((group) => groups.includes(group));
      const cause = { actor: 'server', correlation: requestId };
      await this.commands.execute(new SetAdminByGroups(userId, isAdmin, provider, cause));
    }
    const rooms = new Set(groups.flatMap((group) => rules.roomsOfGroups.get(group) ?? []));
    if (rooms.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, WAIT_MS)));
    await Promise.race([this.#joinAll(of, rooms), late]);
    clearTimeout(timer);
  }

  async #joinAll(of: GroupsElsewhere, rooms: ReadonlySet<string>): Promise<void> {
    for (const room of rooms) {
      try {
        await this.#join(of, room);
      } catch (error) {
        const { userId, provider } = of;
        this.logger.warn(
          { context: 'sso', provider, userId, room },
          `A room of a group was not joined: ${messageOf(error)}`,
        );
      }
    }
  }

  async #join({ userId, rules, requestId }: GroupsElsewhere, room: string): Promise<void> {
    const { roomId, via } = await this.#find(room);
    const membership = await findMembership(this.views, roomId, userId);
    if (membership !== undefined && membership !== 'invite' && membership !== 'knock') return;
    const as = (who: UserId): Requester => ({
      userId: who,
      deviceId: '' as Requester['deviceId'],
      isAdmin: false,
      requestId: requestId ?? '',
    });
    try {
      await this.commands.execute(new JoinRoom(as(userId), roomId, {}, via));
    } catch (error) {
      const { inviter } = rules;
      const isClosed = error instanceof MatrixError && error.errcode === 'M_FORBIDDEN';
      if (!isClosed || inviter === undefined || membership === 'invite') throw error;
      await this.commands.execute(new InviteUser(as(inviter as UserId), roomId, userId)); // checked as the settings were read
      await this.commands.execute(new JoinRoom(as(userId), roomId, {}, via));
    }
  }

  async #find(room: string): Promise<{ readonly roomId: RoomId; readonly via: readonly ServerName[] }> {
    if (!isRoomAlias(room)) return { roomId: parseRoomId(room), via: [] };
    if (serverNameOf(room) !== this.config.serverName && this.others !== undefined) {
      const { roomId, servers } = await this.others.findAlias(room, true);
      return { roomId, via: servers };
    }
    const roomId = await this.aliases.resolve(room);
    if (roomId === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such alias');
    return { roomId, via: [] };
  }
}
