import { Inject, Injectable } from '@nestjs/common';
import type { AccountData } from '#accounts/queries/account-data';
import { PUBLIC_ROOMS } from '#directory/projections/directory.projector';
import { listReceipts, receiptContents } from '#ephemeral/queries/list-receipts';
import { formatStreamMoment, formatStreamPlace, placeOf, type StreamMoment } from '#http/tokens/stream-token';
import type { RoomId } from '#kernel/ids';
import { CLOCK, type Clock } from '#kernel/clock';
import { VIEWS, type Views } from '#projections/views';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { findStateRows, MEMBER } from '#rooms/queries/state-rows';
import type { EventForm } from '#rooms/queries/render-event';
import { findStateRowsAt, listStateRowsAt } from '#rooms/queries/past-state';
import { listStateRowsAtEnd } from '#rooms/queries/stay-end';
import type { OpenRoom } from '#rooms/reading/open-room';
import type { Reader } from '#rooms/reading/reader';
import { filterRows, passesFilter } from '#rooms/queries/event-filter';
import type { RoomReader } from '#rooms/reading/room-reader';
import type { SyncFilter } from '../filters/sync-filter.js';
import { pickFieldsOfAll } from '../parts/pick-fields.js';
import { findElsewhere } from '../streams/membership-over.js';
import { RecentRows } from '../parts/recent-rows.js';
import { formatAccountData } from '../parts/room-sections.js';
import { readWindow } from '../parts/timeline-window.js';
import { renderForEventStream } from './render-event-stream.js';

/** How a room is to be shown to somebody. */
export interface OverviewRequest {
  readonly reader: Reader;
  /** The most messages. */
  readonly limit: number;
  readonly form: EventForm;
  /** The moment of the whole answer. */
  readonly now: StreamMoment;
  /** What is wanted of the rooms; all unless told. */
  readonly filter?: SyncFilter;
}

/** The rooms as `initialSync` shows them: all of their state, and the newest messages. */
@Injectable()
export class RoomOverviews {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * The keys and values of a room that the user may read, up to where they left it. `start` of the messages leads to earlier
   * ones, `end` to what is to come.
   */
  async read(
    membership: string | undefined,
    { room: opened, until }: OpenRoom,
    data: readonly AccountData[],
    request: OverviewRequest,
  ): Promise<string> {
    const { now, form, limit, filter } = request;
    const { roomId } = opened;
    const upTo = until ?? now.position;
    const recent = new RecentRows(this.views, roomId, upTo, limit + 1);
    const room = await opened.overStretch(upTo, upTo);
    const shows = async (row: TimelineRow): Promise<boolean> => {
      const { header } = row;
      if (filter !== undefined && !(await passesFilter(filter.timeline, room, row))) return false;
      if (header.isAside === true) return (await room.over([row])).isShown(header);
      if (!room.memberships.covers(header.position)) await room.memberships.cover(header.position);
      return room.isShown(header);
    };
    const { shown } = await readWindow(recent, { after: undefined, limit, shows });
    const [first] = shown;
    const end = formatStreamMoment(this.views.history, { ...now, position: upTo });
    const before = first && { ...placeOf(now), place: { before: first.header.position } };
    const start = before === undefined ? end : formatStreamPlace(this.views.history, before);
    const all = await (until === undefined
      ? listStateRowsAt(this.views, roomId, upTo)
      : listStateRowsAtEnd(opened, until));
    const state = filter === undefined ? all : await filterRows(filter.state, room, all);
    const viewer = { room, now: this.clock.now() };
    const fields = filter?.eventFields;
    const messages = pickFieldsOfAll(await renderForEventStream(shown, viewer, form), fields);
    const states = pickFieldsOfAll(await renderForEventStream(state, viewer, form), fields);
    const shownData = data.filter(({ type }) => filter?.roomAccountData.matches({ type, roomId }) ?? true);
    return [
      `"room_id":${JSON.stringify(roomId)}`,
      ...(membership === undefined ? [] : [`"membership":${JSON.stringify(membership)}`]),
      `"visibility":"${await this.#visibilityOf(roomId)}"`,
      `"messages":{"start":"${start}","end":"${end}","chunk":[${messages.join()}]}`,
      `"state":[${states.join()}]`,
      `"account_data":[${shownData.map(formatAccountData).join()}]`,
    ].join();
  }

  /** A room the user is invited to, or knocks at: no more than that, and by whom. Nothing where the user ignores them. */
  async readInvitation(room: RoomReader, membership: string, { form }: OverviewRequest): Promise<string | undefined> {
    const { roomId, reader, now: standing } = room;
    // Who knocked may be invited since, by somebody whom they ignore.
    const isOver = standing !== undefined && standing.membership !== membership;
    const [here] = isOver
      ? await findStateRowsAt(this.views, roomId, [[MEMBER, reader.userId]], { before: standing.since })
      : await findStateRows(this.views, roomId, [[MEMBER, reader.userId]]);
    const row = here ?? (await findElsewhere(room, isOver ? standing.since : undefined));
    if (row === undefined || room.ignores(row.header)) return undefined;
    const [event] = await renderForEventStream([row], { room, now: this.clock.now() }, form);
    const members = [
      `"room_id":${JSON.stringify(roomId)}`,
      `"membership":${JSON.stringify(membership)}`,
      `"inviter":${JSON.stringify(row.header.sender)}`,
      `"invite":${event}`,
      `"visibility":"${await this.#visibilityOf(roomId)}"`,
    ];
    return members.join();
  }

  /** The receipts of a room as events, each a JSON text: for who is in it those of now, for who was those of then. */
  async readReceipts({ room }: OpenRoom, { now, filter }: OverviewRequest): Promise<string[]> {
    const { roomId, reader } = room;
    if (!room.wasIn || filter?.ephemeral.matches({ type: 'm.receipt', roomId }) === false) return [];
    const range = { reader, upTo: room.left ?? now.position };
    const contents = receiptContents(await listReceipts(this.views, roomId, range));
    return contents.map((content) => `{"type":"m.receipt","room_id":${JSON.stringify(roomId)},"content":${content}}`);
  }

  async #visibilityOf(roomId: RoomId): Promise<'public' | 'private'> {
    return (await PUBLIC_ROOMS.has(this.views, [roomId])) ? 'public' : 'private';
  }
}
