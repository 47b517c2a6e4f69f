import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ChangeProfile } from '#accounts/commands/change-profile';
import { RegisterAccount } from '#accounts/commands/register-account';
import { SetTag } from '#accounts/commands/set-tag';
import { ACCOUNT_DATA } from '#accounts/projections/account-data-row';
import { PROFILES } from '#accounts/projections/profiles.projector';
import { findAccount } from '#accounts/queries/find-account';
import type { NoticesConfig } from '#config/notices-config';
import { isRoomId, type RoomId, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { CreateRoom } from '#rooms/commands/create-room';
import { InviteUser } from '#rooms/commands/invite-user';
import { MEMBERSHIP_LOG } from '#rooms/projections/membership-log';
import { USER_ROOMS } from '#rooms/projections/membership.projector';
import { contentOfRow } from '#rooms/projections/timeline-row';
import { isNoticesRoom } from '#rooms/queries/is-notices-room';
import { findStateRow } from '#rooms/queries/state-rows';
import { findMembership } from '#rooms/reading/find-membership';

const TAG = 'm.server_notice';
/** Below that of what everybody may do: the room is there to be read. */
const READERS_LEVEL = -10;
/** How the operator makes accounts: whose account it is by then is the operator's to say. */
const BY_OPERATOR: ReadonlySet<string> = new Set(['operator', 'shared-secret']);

/**
 * The room in which this server speaks to a user: client-server API, module "Server Notices". There is one for each, which the notices user
 * begins. The caller sees to it that of one user there is one at a time.
 */
@Injectable()
export class NoticeRooms {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /** Makes sure that the room is there, and the user in it or invited. Throws M_FORBIDDEN where the notices user's name is somebody else's. */
  async open(to: UserId, notices: NoticesConfig, as: Requester): Promise<RoomId> {
    await this.#beThere(notices, as);
    const known = await this.#find(to, notices);
    const roomId = known ?? (await this.#begin(to, notices, as));
    await this.#tag(to, roomId, as);
    const membership = await findMembership(this.views, roomId, to);
    if (membership !== 'join' && membership !== 'invite') {
      await this.commands.execute(new InviteUser(as, roomId, to));
    }
    return roomId;
  }

  /** Rooms in which the user was told something before theirs was upgraded, the newest first. */
  async *before(to: UserId, roomId: RoomId, notices: NoticesConfig): AsyncGenerator<RoomId> {
    const passed = new Set([roomId]);
    for (let at = roomId; ;) {
      const create = await findStateRow(this.views, at, 'm.room.create', '');
      const before = create && (contentOfRow(create)['predecessor'] as { readonly room_id?: unknown } | undefined);
      const earlier = before?.room_id;
      if (typeof earlier !== 'string' || !isRoomId(earlier) || passed.has(earlier)) return;
      const own = await USER_ROOMS.get(this.views, [notices.userId, earlier]);
      if (own?.membership !== 'join' || !(await this.#isFor(to, earlier, notices))) return;
      passed.add(earlier);
      yield earlier;
      at = earlier;
    }
  }

  /** The account is made when it is needed for the first time, and its profile is what the settings say now. */
  async #beThere({ userId, name, avatarUrl }: NoticesConfig, as: Requester): Promise<void> {
    const account = await findAccount(this.views, userId);
    if (account === undefined) {
      const username = userId.slice(1, userId.indexOf(':'));
      await this.commands.execute(new RegisterAccount({ username, via: 'operator', displayname: name }));
    } else if (!BY_OPERATOR.has(account.via)) {
      throw new MatrixError('M_FORBIDDEN', `${userId} is somebody's account: choose another ANNALS_NOTICES_USER`);
    }
    const profile = JSON.parse((await PROFILES.get(this.views, [userId])) ?? '{}') as Record<string, unknown>;
    const wanted = { displayname: name, avatar_url: avatarUrl };
    for (const [key, value] of Object.entries(wanted))
      if (value !== undefined && profile[key] !== value) await this.commands.execute(new ChangeProfile(as, key, value));
  }

  async #find(to: UserId, notices: NoticesConfig): Promise<RoomId | undefined> {
    for await (const page of USER_ROOMS.pages(this.views, { prefix: [to] })) {
      const rooms = page.map(({ key }) => key[1]);
      const own = await USER_ROOMS.getMany(
        this.views,
        rooms.map((roomId) => [notices.userId, roomId] as const),
      );
      for (const [i, row] of own.entries()) {
        if (row?.membership !== 'join') continue;
        const roomId = await this.#newestOf(to, rooms[i]!, notices);
        if (roomId !== undefined) return roomId;
      }
    }
    return undefined;
  }

  /** The room, or the one that it was upgraded to; undefined where it is in neither that the user is told something. */
  async #newestOf(to: UserId, roomId: RoomId, notices: NoticesConfig): Promise<RoomId | undefined> {
    const passed = new Set<RoomId>();
    for (let at = roomId; !passed.has(at) && (await this.#isFor(to, at, notices));) {
      passed.add(at);
      const tombstone = await findStateRow(this.views, at, 'm.room.tombstone', '');
      if (tombstone === undefined) return at;
      const next = contentOfRow(tombstone)['replacement_room'];
      if (typeof next !== 'string' || !isRoomId(next)) return undefined;
      const own = await USER_ROOMS.get(this.views, [notices.userId, next]);
      if (own?.membership !== 'join') return undefined;
      at = next;
    }
    return undefined;
  }

  /**
   * Whether it is in this room that the user is told something: what is said to somebody is for them alone. It is of whom it began with: others, whom the operator has invited
   * there, or its user, where they may, are told in a room of their own; and it is none that the operator began as the notices user.
   */
  async #isFor(to: UserId, roomId: RoomId, notices: NoticesConfig): Promise<boolean> {
    if (!(await isNoticesRoom(this.views, notices, roomId))) return false;
    const [own] = await MEMBERSHIP_LOG.scan(this.views, { prefix: [roomId, to], limit: 1 });
    // Into a room that theirs was upgraded to they may be still to be invited.
    const isBefore = (position: Position): boolean => own === undefined || position < own.key[2];
    for await (const page of MEMBERSHIP_LOG.pages(this.views, { prefix: [roomId] }))
      if (page.some(({ key: [, userId, position] }) => userId !== notices.userId && isBefore(position))) return false;
    return true;
  }

  async #begin(to: UserId, { name, avatarUrl }: NoticesConfig, as: Requester): Promise<RoomId> {
    const avatar = { type: 'm.room.avatar', state_key: '', content: { url: avatarUrl ?? '' } };
    const { roomId } = await this.commands.execute<CreateRoom, { roomId: RoomId }>(
      new CreateRoom(as, {
        preset: 'private_chat',
        name,
        invite: [to],
        creation_content: { 'm.federate': false },
        power_level_content_override: { users_default: READERS_LEVEL },
        ...(avatarUrl === undefined ? {} : { initial_state: [avatar] }),
      }),
    );
    return roomId;
  }

  /** "Servers must identify this room to clients with the `m.server_notice` tag." */
  async #tag(to: UserId, roomId: RoomId, { requestId }: Requester): Promise<void> {
    const data = await ACCOUNT_DATA.get(this.views, [to, roomId, 'm.tag']);
    if (data?.content.includes(`"${TAG}"`) === true) return;
    const requester = { userId: to, deviceId: '' as Requester['deviceId'], isAdmin: false, requestId };
    await this.commands.execute(new SetTag(requester, roomId, TAG, {}));
  }
}
