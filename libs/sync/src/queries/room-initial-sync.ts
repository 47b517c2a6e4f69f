import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { listAccountData } from '#accounts/queries/account-data';
import type { OpenSession } from '#http/open-session';
import type { RoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import type { EventForm } from '#rooms/queries/render-event';
import { openWhole } from '#rooms/queries/partial-rooms';
import { openRoom } from '#rooms/reading/open-room';
import { type Reader, followerOf } from '#rooms/reading/reader';
import { ActiveUsers } from '../notifier/active-users.js';
import { PresenceNews } from '../presence/presence-news.js';
import { RoomOverviews } from '../events/room-overviews.js';
import type { SyncFilter } from '../filters/sync-filter.js';
import { toldMembership } from '../streams/membership-over.js';
import { StreamMoments } from '../streams/stream-moments.js';

/**
 * One room as `InitialSync` shows it: for who is or was in it, and for everybody where it is world readable. Answers JSON
 * text. Throws M_FORBIDDEN, M_UNKNOWN_TOKEN (the session ended meanwhile), RoomIsPartial.
 */
export class RoomInitialSync extends Query<string> {
  constructor(
    readonly requester: Requester,
    readonly session: OpenSession,
    readonly roomId: RoomId,
    readonly options: { readonly limit: number; readonly form: EventForm; readonly filter?: SyncFilter },
  ) {
    super();
  }
}

@QueryHandler(RoomInitialSync)
export class RoomInitialSyncHandler implements IQueryHandler<RoomInitialSync> {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly moments: StreamMoments,
    private readonly overviews: RoomOverviews,
    private readonly active: ActiveUsers,
    private readonly presence: PresenceNews,
  ) {}

  async execute({ requester, session, roomId, options }: RoomInitialSync): Promise<string> {
    const reader = await followerOf(this.views, requester);
    // Before the moment is taken: of what comes while that is waited for this answer shows all.
    await openWhole(this.views, roomId, reader);
    const now = await this.moments.moment(undefined, (one) => one === roomId);
    const open = await openRoom(this.views, roomId, reader);
    const data = await listAccountData(this.views, requester.userId, roomId);
    const request = { reader, now, ...options };
    const { membership } = open.room;
    const told = membership && (await toldMembership(open.room, membership));
    const members = await this.overviews.read(told, open, data, request);
    const receipts = await this.overviews.readReceipts(open, request);
    const presence = open.room.isIn ? await this.#presence(roomId, reader, options) : [];
    await session.validUntil();
    return `{${members},"presence":[${presence.join()}],"receipts":[${receipts.join()}]}`;
  }

  async #presence(roomId: RoomId, reader: Reader, { form, filter }: RoomInitialSync['options']): Promise<string[]> {
    const known = (await this.active.roomsOf(reader.userId)).get(roomId);
    if (known === undefined) return [];
    const asked = { userId: reader.userId, rooms: new Map([[roomId, known]]), ofRoomOnly: true };
    return this.presence.renderForEventStream(reader, this.presence.present(asked, true), form, filter?.presence);
  }
}
