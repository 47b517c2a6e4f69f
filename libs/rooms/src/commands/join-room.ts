import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { levelNeeded, powerLevelOf } from '#protocol/event-auth/power-levels';
import type { RoomEvent } from '#protocol/room-event';
import { contextOf } from '../worker/requester-context.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { MembershipChanges, sendMembership } from './change-membership.js';

/**
 * Joins a room of this server: client-server API, "Joining rooms". Joining twice is no error. Throws M_FORBIDDEN, M_NOT_FOUND
 * for a room that this server does not have.
 * NOTSPEC: whatever else the request says becomes part of the member event, `reason` among it. Clients do so since 2015, and
 * could set the same event by PUT /state.
 */
export class JoinRoom {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly content: JsonObject = {},
  ) {}
}

@CommandHandler(JoinRoom)
export class JoinRoomHandler implements ICommandHandler<JoinRoom> {
  constructor(
    private readonly workers: RoomWorkers,
    private readonly memberships: MembershipChanges,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ requester, roomId, content: wanted }: JoinRoom): Promise<{ roomId: RoomId }> {
    const { userId } = requester;
    const shown = await this.memberships.contentOf({ target: userId, membership: 'join' });
    const content = { ...shown, ...ownWords(wanted) };
    const { position } = await this.workers.run(roomId, contextOf(requester), async (turn) => {
      const before = await turn.findState('m.room.member', userId);
      const membership = before?.content['membership'];
      if (membership === 'join') return;
      const authoriser = membership === 'invite' ? undefined : await this.#authoriser(turn, userId);
      const full = authoriser === undefined ? content : { ...content, join_authorised_via_users_server: authoriser };
      await sendMembership(turn, userId, userId, full, before);
    });
    if (position !== undefined) await this.views.whenProcessed(position);
    return { roomId };
  }

  /**
   * For a room whose join rule is restricted: a user of this server who is in the room and may invite, where the joining
   * user fulfils one of the conditions ("Restricted rooms"). Undefined where there is none: the rules then refuse the join.
   */
  async #authoriser(turn: RoomTurn, joining: UserId): Promise<UserId | undefined> {
    const rules = await turn.findState('m.room.join_rules');
    const { version } = turn.head;
    const rule = rules?.content['join_rule'];
    const restricted =
      (rule === 'restricted' && version.restrictedJoins) ||
      (rule === 'knock_restricted' && version.knockRestrictedJoins);
    if (rules === undefined || !restricted || !(await this.#fulfilsOne(rules, joining))) return undefined;

    const levels = await turn.powerLevels();
    const needed = levelNeeded('invite', levels, version);
    for (const userId of candidates(turn.head.createEvent, levels.get('m.room.power_levels', '')?.content)) {
      if (serverNameOf(userId) !== serverNameOf(joining)) continue;
      if (powerLevelOf(userId, levels, version) < needed) continue;
      if ((await turn.findMembership(userId)) === 'join') return userId;
    }
    return needed <= Number(levels.get('m.room.power_levels', '')?.content['users_default'] ?? 0)
      ? this.#anyMember(turn.roomId, joining)
      : undefined;
  }

  async #fulfilsOne({ content }: RoomEvent, joining: UserId): Promise<boolean> {
    const conditions = Array.isArray(content['allow']) ? content['allow'] : [];
    for (const condition of conditions) {
      if (!isJsonObject(condition) || condition['type'] !== 'm.room_membership') continue;
      const row = await this.views.get('members', [String(condition['room_id']), joining]);
      if (row !== undefined && (JSON.parse(row) as JsonObject)['membership'] === 'join') return true;
    }
    return false;
  }

  /** A member of this server, where everybody may invite. */
  async #anyMember(roomId: RoomId, joining: UserId): Promise<UserId | undefined> {
    const rows = await this.views.scan('room-members', { prefix: [roomId, 'join'], limit: 1_000 });
    const members = rows.map(({ key }) => key[2] as UserId);
    return members.find((userId) => serverNameOf(userId) === serverNameOf(joining));
  }
}

/** What the user may say about the join: all but what the server vouches for. */
function ownWords(content: JsonObject): JsonObject {
  const { membership: _, third_party_signed: __, join_authorised_via_users_server: ___, ...rest } = content;
  return rest;
}

/** Those who probably may invite: the creators and whoever has a level of their own. */
function candidates(createEvent: RoomEvent, levels: JsonObject | undefined): Set<UserId> {
  const users = levels?.['users'];
  return new Set([createEvent.sender, ...(isJsonObject(users) ? (Object.keys(users) as UserId[]) : [])]);
}
