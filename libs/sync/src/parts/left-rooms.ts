import { Inject, Injectable } from '@nestjs/common';
import type { AccountData } from '#accounts/queries/account-data';
import { type Position, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { ELSEWHERE } from '#rooms/projections/elsewhere-rows';
import { TIMELINE } from '#rooms/projections/timeline-collections';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { filterRows } from '#rooms/queries/event-filter';
import { findStayEnd } from '#rooms/queries/stay-end';
import type { RoomReader } from '#rooms/reading/room-reader';
import { listStandings } from '#rooms/reading/standing';
import type { MembershipOver } from '../streams/membership-over.js';
import type { SyncContext } from '../streams/sync-context.js';
import { RecentRows } from './recent-rows.js';
import { renderState, renderTimeline } from './render-rows.js';
import type { RoomAnswer, RoomContext } from './room-context.js';
import { formatTimeline, listRoomAccountData, mayHaveOlder, showsRow } from './room-sections.js';
import { isSoAtEnd, readStatePart } from './state-part.js';
import { readWindow, type TimelineWindow } from './timeline-window.js';

/** How a user's stay in a room ended, or that there was none. */
export interface Departure {
  readonly room: RoomReader;
  readonly over: MembershipOver;
  /** The position of the user's last member event. */
  readonly at: Position;
}

/** Answers for rooms that the user has left, or was kicked or banned from: `rooms.leave`. */
@Injectable()
export class LeftRooms {
  constructor(@Inject(VIEWS) private readonly views: Views) {}

  /**
   * The timeline up to the end of the user's last stay, and the state that goes with it: "the timeline of messages and state
   * changes in the room up to the point when the user left". Of what came after only the user's own member events are told:
   * a ban, a knock that was refused, an invitation that was taken back. Who was never in the room gets the last of those alone.
   */
  async read(sync: SyncContext, departure: Departure, accountData: readonly AccountData[]): Promise<RoomAnswer> {
    const { room, window, states } = await this.look(sync, departure);
    const data = listRoomAccountData(sync, room.roomId, accountData);
    const json =
      `{"${sync.stateAfter ?? 'state'}":{"events":[${(await renderState(states, room)).join()}]},` +
      `"timeline":${formatTimeline(this.views.history, await renderTimeline(window, room), window, room)},` +
      `"account_data":{"events":[${data.join()}]}}`;
    return { json, isNews: true };
  }

  /** As `read`: the timeline, and the state that goes with it, of which only that is told which is to be kept. */
  async look(
    sync: SyncContext,
    departure: Departure,
    keepsBeside?: (window: TimelineWindow) => (row: TimelineRow) => boolean,
  ): Promise<{ room: RoomContext; window: TimelineWindow; states: readonly TimelineRow[] }> {
    const room = await this.#contextOf(sync, departure);
    const window = departure.over.wasIn ? await this.#window(room, departure) : await this.#lastEvent(room, departure);
    return { room, window, states: await this.#states(room, window, departure, keepsBeside?.(window)) };
  }

  async #contextOf(sync: SyncContext, { room, over, at }: Departure): Promise<RoomContext> {
    const { roomId } = room;
    const upTo = over.wasIn ? over.last.left : at;
    const after = over.isNew ? undefined : sync.since?.position;
    return {
      sync,
      roomId,
      reader: await room.overStretch(upTo, upTo),
      isNew: over.isNew,
      after,
      upTo,
      end: over.wasIn ? await findStayEnd(room, upTo) : undefined,
      isFull: over.isNew || sync.fullState,
      // Not shared: this stretch stands still, and what is in it may yet be redacted.
      recent: new RecentRows(this.views, roomId, upTo, sync.filter.timelineLimit + 1, after),
    };
  }

  async #window(room: RoomContext, departure: Departure): Promise<TimelineWindow> {
    const { after, recent, sync, upTo } = room;
    const limit = sync.filter.timelineLimit;
    const own = await this.#ownEvents(departure, upTo > (after ?? START) ? upTo : (after ?? START), limit + 1);
    const wanted = await filterRows(sync.filter.timeline, room.reader, own);
    // Of what it replaced a timeline that leaves out the last of them would say that it is so.
    const isLastShown = sync.stateAfter !== undefined || wanted.at(-1) === own.at(-1);
    const told = limit === 0 || !isLastShown ? [] : wanted.slice(-limit);
    const stay = await readWindow(recent, {
      after,
      limit: limit - told.length,
      shows: showsRow(room),
      isSo: sync.stateAfter ? undefined : (row) => isSoAtEnd(this.views, room, row),
      hiddenSince: isLastShown ? [] : own,
    });
    const untold = isLastShown ? own.filter((row) => !told.includes(row)) : [];
    return {
      shown: [...stay.shown, ...told],
      hidden: [...stay.hidden, ...untold],
      redactions: stay.redactions,
      limited: stay.limited || told.length < wanted.length || mayHaveOlder(room),
      isResolved: stay.isResolved,
    };
  }

  async #lastEvent({ sync: { filter }, reader }: RoomContext, departure: Departure): Promise<TimelineWindow> {
    const own = await this.#rowsAt(departure, [departure.at]);
    const wanted = await filterRows(filter.timeline, reader, own);
    const shown = wanted.slice(0, filter.timelineLimit);
    const hidden = own.filter((row) => !shown.includes(row));
    return { shown, hidden, redactions: [], limited: shown.length < wanted.length, isResolved: false };
  }

  /** Who was never in the room is told nothing of its state but what became of them, where they do not learn it from the timeline. */
  async #states(
    room: RoomContext,
    window: TimelineWindow,
    { over }: Departure,
    keeps?: (row: TimelineRow) => boolean,
  ): Promise<readonly TimelineRow[]> {
    if (over.wasIn) return readStatePart(this.views, room, window, [], keeps);
    const own = room.sync.stateAfter ? [...window.shown, ...window.hidden] : window.hidden;
    return filterRows(room.sync.filter.state, room.reader, own);
  }

  /** The newest of the user's own member events after a position, in the order of the log. */
  async #ownEvents(departure: Departure, after: Position, limit: number): Promise<TimelineRow[]> {
    const { views, roomId, reader } = departure.room;
    const changes = await listStandings(views, roomId, reader.userId, { upTo: departure.at, limit });
    const positions = new Set([departure.at, ...changes.map(({ since }) => since)]);
    return this.#rowsAt(departure, [...positions].filter((position) => position > after).sort());
  }

  async #rowsAt({ room }: Departure, positions: readonly Position[]): Promise<TimelineRow[]> {
    const texts = await TIMELINE.getMany(
      this.views,
      positions.map((position) => [room.roomId, position]),
    );
    const elsewhere = await ELSEWHERE.getMany(
      this.views,
      positions.map((position) => [room.reader.userId, room.roomId, position]),
    );
    const rows = positions.flatMap((_, i) => {
      const text = texts[i] ?? elsewhere[i]?.member;
      return text === undefined ? [] : [parseRow(text)];
    });
    return rows.filter(({ header }) => room.isOwnMembership(header) && !room.ignores(header));
  }
}
