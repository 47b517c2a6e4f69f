import { Inject, Injectable } from '@nestjs/common';
import type { AccountData } from '#accounts/queries/account-data';
import { VIEWS, type Views } from '#projections/views';
import { ROOM_EPHEMERALS, type RoomEphemeral } from '../ephemeral/room-ephemeral.js';
import { hasReadSince } from '../unread/read-up-to.js';
import type { UnreadOfRoom } from '../unread/known-unread.js';
import { UnreadCounts } from '../unread/unread-counts.js';
import { renderState, renderTimeline } from './render-rows.js';
import type { RoomAnswer, RoomContext } from './room-context.js';
import {
  formatSticky,
  formatTimeline,
  formatUnread,
  listRoomAccountData,
  mayHaveOlder,
  showsRowOrState,
} from './room-sections.js';
import { isSoAtEnd, readStatePart } from './state-part.js';
import { changesSummary, formatSummary, readSummary } from './summary-part.js';
import { StickyPart } from './sticky-part.js';
import { readWindow, type TimelineWindow } from './timeline-window.js';

/** Answers for rooms that the user is in: `rooms.join`. */
@Injectable()
export class JoinedRooms {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(ROOM_EPHEMERALS) private readonly ephemerals: readonly RoomEphemeral[],
    private readonly unread: UnreadCounts,
    private readonly sticky: StickyPart,
  ) {}

  /** Computes the answer for a room. It is no news where an incremental one has nothing in any section. */
  async read(room: RoomContext, accountData: readonly AccountData[], isRecounted = false): Promise<RoomAnswer> {
    const { views } = this;
    const { filter, stateAfter, requester } = room.sync;
    const window = await this.#window(room);
    const isSummaryNew = room.isFull || window.limited || (await changesSummary(views, room, window));
    const summary = isSummaryNew ? await readSummary(views, room.roomId, requester.userId) : undefined;
    const sticky = await this.sticky.read(room, window);
    // Whether who sent them is there is what calls ask the client's state.
    const named = [...(summary?.heroes ?? []), ...sticky.map(({ header }) => header.sender)];
    const states = await readStatePart(views, room, window, named);
    const ephemeral = await this.#ephemeral(room);
    const data = listRoomAccountData(room.sync, room.roomId, accountData);
    const unread = await this.unread.find(room);
    const json =
      `{"summary":${summary === undefined ? '{}' : formatSummary(summary)},` +
      `"${stateAfter ?? 'state'}":{"events":[${(await renderState(states, room)).join()}]},` +
      `"timeline":${formatTimeline(this.views.history, await renderTimeline(window, room), window, room)},` +
      `${formatSticky(await renderTimeline({ shown: sticky, limited: false }, room))}` +
      `"ephemeral":{"events":[${ephemeral.join()}]},"account_data":{"events":[${data.join()}]},` +
      `${formatUnread(unread.counts, filter.unreadThreads)}}`;
    const parts = [window.shown, states, sticky, ephemeral, data];
    const isNews = isSummaryNew || parts.some((part) => part.length > 0);
    return { json, isNews: isNews || (await this.#hasOtherCounts(room, unread, isRecounted)) };
  }

  /** Whether other rules, or whom the user ignores, changed how much of a room is unread, where nothing happened in it. */
  async isCountedOtherwise(room: RoomContext): Promise<boolean> {
    return room.after !== undefined && (await this.unread.find(room)).anewAt > room.after;
  }

  /** Whether how much is unread is all that is new: the receipt by which it is is left out by the filter. */
  async #hasOtherCounts(
    { sync, roomId, after, upTo }: RoomContext,
    { anewAt }: UnreadOfRoom,
    isRecounted: boolean,
  ): Promise<boolean> {
    if (after === undefined) return false;
    const { userId } = sync.requester;
    return (isRecounted && anewAt > after) || hasReadSince(this.views, roomId, userId, { after, upTo });
  }

  async #window(room: RoomContext): Promise<TimelineWindow> {
    const { after, recent, sync } = room;
    const shows = showsRowOrState(this.views, room);
    const window = await readWindow(recent, {
      after,
      limit: sync.filter.timelineLimit,
      shows,
      isSo: sync.stateAfter ? undefined : (row) => isSoAtEnd(this.views, room, row),
    });
    return mayHaveOlder(room) ? { ...window, limited: true } : window;
  }

  /** What changed since; of a room that is new to the client what there is. */
  async #ephemeral({ sync, roomId, isNew, reader: room }: RoomContext): Promise<string[]> {
    const { filter, since, until } = sync;
    // Who left while the answer is made hears of members no more.
    if (!room.isIn || !filter.ephemeral.matchesRoom(roomId)) return [];
    const range = { reader: room.reader, since: isNew ? undefined : since, until };
    const events: string[] = [];
    for (const ephemeral of this.ephemerals) {
      const { type } = ephemeral;
      if (!filter.ephemeral.matches({ type, roomId })) continue;
      for (const content of await ephemeral.read(roomId, range)) events.push(`{"type":"${type}","content":${content}}`);
    }
    return events;
  }
}
