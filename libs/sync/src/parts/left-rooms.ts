import { Inject, Injectable } from '@nestjs/common';
import type { AccountData } from '#accounts/queries/account-data';
import { VIEWS, type Views } from '#projections/views';
import { renderState, renderTimeline } from './render-rows.js';
import type { RoomAnswer, RoomContext } from './room-context.js';
import { formatTimeline, listRoomAccountData, showsRow } from './room-sections.js';
import { readStatePart } from './state-part.js';
import { readWindow, type TimelineWindow } from './timeline-window.js';

/** Answers for rooms that the user has left, or was kicked or banned from: `rooms.leave`. */
@Injectable()
export class LeftRooms {
  constructor(@Inject(VIEWS) private readonly views: Views) {}

  /**
   * The timeline up to the event by which the user left, and the state that goes with it. Who was never in the room gets
   * that event alone: an invitation that was declined or taken back, a knock that was refused.
   */
  async read(room: RoomContext, wasIn: boolean, accountData: readonly AccountData[]): Promise<RoomAnswer> {
    const { views } = this;
    const window = wasIn ? await this.#window(room) : await this.#lastEvent(room);
    const states = wasIn ? await readStatePart(views, room, window, []) : [];
    const data = listRoomAccountData(room.sync, room.roomId, accountData);
    const json =
      `{"${room.sync.stateAfter ? 'state_after' : 'state'}":{"events":[${(await renderState(views, states, room)).join()}]},` +
      `"timeline":${formatTimeline(await renderTimeline(views, window.shown, room), window, room)},` +
      `"account_data":{"events":[${data.join()}]}}`;
    return { json, isNews: true };
  }

  #window(room: RoomContext): Promise<TimelineWindow> {
    const shows = showsRow(room);
    const { after, recent } = room;
    return readWindow(recent, { after, limit: room.sync.filter.timelineLimit, shows });
  }

  async #lastEvent(room: RoomContext): Promise<TimelineWindow> {
    const last = await room.recent.at(0);
    const matches = showsRow({ ...room, seesAll: true });
    return { shown: last !== undefined && matches(last) ? [last] : [], hidden: [], limited: false };
  }
}
