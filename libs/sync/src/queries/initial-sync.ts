import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { OpenSession } from '#http/open-session';
import type { RoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import type { EventForm } from '#rooms/queries/render-event';
import { openRoom } from '#rooms/queries/room-access';
import { readerHistory, wasJoined } from '#rooms/queries/visibility';
import { RoomOverviews, type OverviewRequest } from '../events/room-overviews.js';
import type { KnownRoom } from '../notifier/active-user.js';
import { ActiveUsers } from '../notifier/active-users.js';
import { formatAccountData } from '../parts/room-sections.js';
import { readAllAccountData, readIgnoredUsers } from '../streams/read-account-data.js';
import type { AccountDataByRoom } from '../streams/sync-context.js';
import { SyncContexts } from '../streams/sync-contexts.js';
import { formatStreamToken } from '../tokens/stream-token.js';

/** How much of everything is wanted. */
export interface InitialSyncOptions {
  /** The most messages of each room. */
  readonly limit: number;
  /** Rooms that were left are wanted too. */
  readonly archived: boolean;
  readonly form: EventForm;
}

/**
 * Everything a client needs to begin: the rooms with their state and newest messages, and the token from which the event
 * stream goes on. Client-server API v1, "Syncing rooms". Answers JSON text. Throws M_UNKNOWN_TOKEN (the session ended
 * meanwhile).
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
  ) {}

  async execute({ requester, session, options }: InitialSync): Promise<string> {
    const { user, interest } = await this.active.watch(requester.userId);
    try {
      const now = await this.contexts.moment(undefined, (roomId) => user.isIn(roomId));
      const request: OverviewRequest = { requester, now, limit: options.limit, form: options.form };
      const data = await readAllAccountData(this.views, requester.userId, now.position);
      const rooms: string[] = [];
      const receipts: string[] = [];
      const pause = this.contexts.pacer();
      for (const [roomId, known] of user.rooms) {
        await pause();
        const room = known.forgotten ? undefined : await this.#room(roomId, known, data, request, options.archived);
        if (room === undefined) continue;
        rooms.push(`{${room}}`);
        if (known.membership === 'join') receipts.push(...(await this.overviews.readReceipts(roomId, request)));
      }
      await session.validUntil();
      // Push rules have an endpoint of their own in API v1.
      const global = data.global.filter(({ type }) => type !== 'm.push_rules').map(formatAccountData);
      return (
        `{"end":"${formatStreamToken(now)}","rooms":[${rooms.join()}],"presence":[],` +
        `"receipts":[${receipts.join()}],"account_data":[${global.join()}]}`
      );
    } finally {
      interest.close();
    }
  }

  async #room(
    roomId: RoomId,
    { membership }: KnownRoom,
    data: AccountDataByRoom,
    request: OverviewRequest,
    archived: boolean,
  ): Promise<string | undefined> {
    if (membership === 'invite' || membership === 'knock') return this.#invitation(roomId, membership, request);
    if (membership !== 'join' && !archived) return undefined;
    const { userId } = request.requester;
    const history = await readerHistory(this.views, roomId, userId);
    // An invitation that was declined: there is nothing to show of such a room.
    if (!wasJoined(history)) return undefined;
    const reader = await openRoom(this.views, roomId, userId);
    return this.overviews.read(roomId, membership, reader, data.rooms.get(roomId) ?? [], request);
  }

  async #invitation(roomId: RoomId, membership: string, request: OverviewRequest): Promise<string | undefined> {
    const invitation = await this.overviews.readInvitation(roomId, membership, request);
    if (invitation === undefined) return undefined;
    const ignored = await readIgnoredUsers(this.views, request.requester.userId);
    return ignored.has(invitation.inviter) ? undefined : invitation.members;
  }
}
