import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { PROFILES } from '#accounts/projections/profiles.projector';
import { type EventId, type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { clientEventOf } from '#rooms/projections/client-event';
import { ROOMS } from '#rooms/projections/room-summary.projector';
import { findEventFor } from '#rooms/queries/get-event';
import { asServed } from '#rooms/reading/withhold';
import type { ReportedThing, ToldReport } from '../facts/report-facts.js';
import { Reports } from '../reports/reports.js';

/** What a user wants to have looked at. */
export type Reportable =
  | { readonly kind: 'event'; readonly roomId: RoomId; readonly eventId: EventId }
  | { readonly kind: 'room'; readonly roomId: RoomId }
  | { readonly kind: 'user'; readonly userId: UserId };

/**
 * Reports an event, a room or a user to the operators of this server: client-server API, "Reporting Content". Of an event throws M_NOT_FOUND
 * where the user is not in the room or is not shown it. Of a room and of a user of this server that are not there nothing is kept, and the answer does not say
 * so: "Homeservers that wish to conceal this information MAY return 200 responses". Throws M_LIMIT_EXCEEDED where too many reports of the
 * user wait for an operator.
 */
export class ReportContent extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly what: Reportable,
    readonly reason: string,
  ) {
    super();
  }
}

@CommandHandler(ReportContent)
export class ReportContentHandler implements ICommandHandler<ReportContent> {
  constructor(
    private readonly reports: Reports,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ requester, what, reason }: ReportContent): Promise<void> {
    // Before anything is looked for: else whoever is at the limit learns by the answer what is there.
    await this.reports.checkLimit(requester.userId);
    const found = await this.#find(requester, what);
    if (found === undefined) return;
    const { userId, deviceId, requestId } = requester;
    const cause = { actor: userId, device: deviceId, correlation: requestId };
    const { thing, content } = found;
    await this.reports.add(userId, thing, { reason, ...(content === undefined ? {} : { content }) }, cause);
  }

  async #find({ userId }: Requester, what: Reportable): Promise<Found | undefined> {
    const { views } = this;
    if (what.kind === 'event') {
      const { roomId, eventId } = what;
      const event = await findEventFor(views, roomId, eventId, userId);
      // "servers MUST verify that the reporting user is currently joined to the room".
      if (event?.room.isIn !== true) throw new MatrixError('M_NOT_FOUND', 'No such event, or you are not in its room');
      const row = await asServed(event.room, event.row);
      const content = JSON.parse(clientEventOf(row, roomId)) as ToldReport['content'];
      return { thing: { kind: 'event', room_id: roomId, event_id: eventId, sender: row.header.sender }, content };
    }
    if (what.kind === 'room') {
      const summary = await ROOMS.get(views, [what.roomId]);
      if (summary === undefined) return undefined;
      const { name = null, topic = null, avatar_url = null, canonical_alias = null } = summary;
      return { thing: { kind: 'room', room_id: what.roomId }, content: { name, topic, avatar_url, canonical_alias } };
    }
    const thing: ReportedThing = { kind: 'user', user_id: what.userId };
    const profile = await PROFILES.get(views, [what.userId]);
    if (profile !== undefined) return { thing, content: JSON.parse(profile) as ToldReport['content'] };
    // Of users of other servers nobody here knows which there are.
    return serverNameOf(what.userId) === serverNameOf(userId) ? undefined : { thing };
  }
}

interface Found {
  readonly thing: ReportedThing;
  readonly content?: ToldReport['content'];
}
