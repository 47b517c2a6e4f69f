import { Inject, Optional } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { refuseSuspended } from '#kernel/refuse-suspended';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import { isServerIn } from '../reading/server-standing.js';
import { REMOTE_ROOMS, type RemoteKnock, type RemoteRooms } from '../remote-rooms.js';
import { contextOf } from '../worker/requester-context.js';
import { MembershipChanges, type MembershipChange } from './change-membership.js';
import { MembershipsElsewhere } from './memberships-elsewhere.js';
import { readStrippedState } from './read-stripped-state.js';

/**
 * Asks to be invited: client-server API, "Knocking on rooms". Where nobody of this server is in the room, another server is asked.
 * Throws M_USER_SUSPENDED, M_FORBIDDEN (the join rule does not allow it, or the user is in the room or banned from it), and as `RemoteRooms`.
 */
export class KnockRoom {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly reason?: string,
    /** Servers that may be in the room, as the client says. */
    readonly via: readonly ServerName[] = [],
  ) {}
}

@CommandHandler(KnockRoom)
export class KnockRoomHandler implements ICommandHandler<KnockRoom> {
  constructor(
    private readonly memberships: MembershipChanges,
    private readonly elsewhere: MembershipsElsewhere,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
    @Optional() @Inject(REMOTE_ROOMS) private readonly others?: RemoteRooms,
  ) {}

  async execute(command: KnockRoom): Promise<{ roomId: RoomId }> {
    const { requester, roomId } = command;
    refuseSuspended(requester);
    return this.elsewhere.handshakes.inTurn(requester.userId, roomId, () => this.#knock(command));
  }

  async #knock({ requester, roomId, reason, via }: KnockRoom): Promise<{ roomId: RoomId }> {
    const change: MembershipChange = {
      target: requester.userId,
      membership: 'knock',
      reason,
      check: checkIsNotInvited,
    };
    const isHere = await isServerIn(this.views, roomId, this.author.serverName);
    if (isHere || !(await this.#knockElsewhere(requester, roomId, change, via))) {
      await this.memberships.change(requester, roomId, change);
    }
    return { roomId };
  }

  /** Answers whether there was a server to ask. */
  async #knockElsewhere(
    requester: Requester,
    roomId: RoomId,
    change: MembershipChange,
    via: readonly ServerName[],
  ): Promise<boolean> {
    const { userId } = requester;
    const place = await this.elsewhere.find(userId, roomId);
    checkIsNotInvited(place?.membership);
    const content = await this.memberships.contentOf(change);
    const servers = [...via, ...(place?.servers ?? [])];
    const knock = await this.elsewhere.handshakes.run({ requester, roomId, membership: 'knock' }, async (beforeGiven) =>
      this.others?.knock({ requester, roomId, content, servers, beforeGiven }),
    );
    if (knock === undefined) return false;
    await tellKnock(this.elsewhere, requester, roomId, knock);
    return true;
  }
}

/** Notes a knock that another server took, unless the user is invited since. */
export async function tellKnock(
  elsewhere: MembershipsElsewhere,
  requester: Requester,
  roomId: RoomId,
  knock: RemoteKnock,
): Promise<void> {
  const { eventId, server, pdu, version } = knock;
  const { userId } = requester;
  const told = { room_id: roomId, room_version: version.id, membership: 'knock', event_id: eventId } as const;
  const state = readWhatStands(knock, roomId, userId);
  await elsewhere.inTurn(userId, roomId, async () => {
    // Who was let in at once has the invitation before the answer to the knock.
    const isInvited = (await elsewhere.find(userId, roomId))?.membership === 'invite';
    if (isInvited) await elsewhere.handshakes.end(userId, roomId, eventId, contextOf(requester));
    else await elsewhere.tell(userId, { ...told, origin: server, pdu, state }, contextOf(requester));
  });
}

/** The knock stands at the other server, whatever that tells of the room: of what cannot be of it nothing is shown. */
function readWhatStands({ roomState, version }: RemoteKnock, roomId: RoomId, userId: UserId): JsonObject[] {
  try {
    return readStrippedState(roomState, { roomId, version }, userId);
  } catch (error) {
    if (error instanceof MatrixError) return [];
    throw error;
  }
}

function checkIsNotInvited(before: string | undefined): void {
  if (before === 'invite') throw new MatrixError('M_FORBIDDEN', 'You are invited to this room already');
}
