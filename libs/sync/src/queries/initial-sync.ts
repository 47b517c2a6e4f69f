import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { OpenSession } from '#http/open-session';
import { formatStreamMoment } from '#http/tokens/stream-token';
import type { RoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { Turn } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import type { EventForm } from '#rooms/queries/render-event';
import { letIn } from '#rooms/reading/open-room';
import { followerOf } from '#rooms/reading/reader';
import { findRoomReader } from '#rooms/reading/room-reader';
import { RoomOverviews, type OverviewRequest } from '../events/room-overviews.js';
import { isAway, type KnownRoom } from '../notifier/active-user.js';
import type { SyncFilter } from '../filters/sync-filter.js';
import { ActiveUsers } from '../notifier/active-users.js';
import { inOrderOfIds } from '../notifier/in-order-of-ids.js';
import { PresenceNews } from '../presence/presence-news.js';
import { formatAccountData } from '../parts/room-sections.js';
import { readAllAccountData } from '../streams/read-account-data.js';
import { toldMembership } from '../streams/membership-over.js';
import type { AccountDataByRoom } from '../streams/sync-context.js';
import { SyncContexts } from '../streams/sync-contexts.js';

/** How much of everything is wanted. */
export interface InitialSyncOptions {
  /** The most messages of each room. */
  readonly limit: number;
  /** Rooms that were left are wanted too. */
  readonly archived: boolean;
  readonly form: EventForm;
  readonly filter?: SyncFilter;
}

/**
 * Everything a client needs to begin: the rooms with their state and newest messages, in the order of their ids as in `/joined_rooms`, and the
 * token from which the event stream goes on. Client-server API v1, "Syncing rooms". Answers JSON text. Throws M_UNKNOWN_TOKEN (the session
 * ended meanwhile).
 */
export class InitialSync extends Query<string> {
  constructor(
    readonly requester: Requester,
    readonly session: OpenSession,
    readonly options: InitialSyncOptions,
  ) {
    super();
  }
}

@QueryHandler(InitialSync)
export class InitialSyncHandler implements IQueryHandler<InitialSync> {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly active: ActiveUsers,
    private readonly contexts: SyncContexts,
    private readonly overviews: RoomOverviews,
    private readonly presence: PresenceNews,
  ) {}

  async execute({ requester, session, options }: InitialSync): Promise<string> {
    const { filter } = options;
    const archived = options.archived || filter?.includeLeave === true;
    const { user, interest } = await this.active.watch(requester.userId);
    try {
      const now = await this.contexts.moments.moment(undefined, (roomId) => user.isIn(roomId), user);
      const reader = await followerOf(this.views, requester);
      const request: OverviewRequest = { reader, now, limit: options.limit, form: options.form, filter };
      const data = await readAllAccountData(this.views, requester.userId, now.position);
      const rooms: string[] = [];
      const receipts: string[] = [];
      const turn = new Turn(1);
      for (const [roomId, known] of inOrderOfIds(user.rooms)) {
        if (turn.isOver()) await turn.pass();
        if (known.forgotten || filter?.includesRoom(roomId) === false) continue;
        const room = await this.#room(roomId, known, data, request, archived, receipts);
        if (room === undefined) continue;
        rooms.push(`{${room}}`);
      }
      const there = this.presence.present({ userId: requester.userId, rooms: user.rooms });
      const presence = await this.presence.renderForEventStream(reader, there, options.form, filter?.presence);
      await session.validUntil();
      // Push rules have an endpoint of their own in API v1.
      const global = data.global
        .filter(({ type }) => type !== 'm.push_rules' && (filter?.accountData.matches({ type }) ?? true))
        .map(formatAccountData);
      return (
        `{"end":"${formatStreamMoment(this.views.history, now)}","rooms":[${rooms.join()}],"presence":[${presence.join()}],` +
        `"receipts":[${receipts.join()}],"account_data":[${global.join()}]}`
      );
    } finally {
      interest.close();
    }
  }

  async #room(
    roomId: RoomId,
    known: KnownRoom,
    data: AccountDataByRoom,
    request: OverviewRequest,
    archived: boolean,
    receipts: string[],
  ): Promise<string | undefined> {
    if (isAway(known.membership) && !archived) return undefined;
    const room = await findRoomReader(this.views, roomId, request.reader);
    const membership = await toldMembership(room, known.membership);
    if (membership === undefined || (isAway(membership) && !archived)) return undefined;
    if (membership === 'invite' || membership === 'knock') {
      return this.overviews.readInvitation(room, membership, request);
    }
    // Of an invitation that was declined there is nothing to show.
    const open = room.wasIn ? await letIn(room) : undefined;
    if (open === undefined) return undefined;
    if (room.isIn) receipts.push(...(await this.overviews.readReceipts(open, request)));
    return this.overviews.read(membership, open, data.rooms.get(roomId) ?? [], request);
  }
}
