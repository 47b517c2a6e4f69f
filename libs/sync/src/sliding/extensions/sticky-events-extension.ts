import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { RoomId } from '#kernel/ids';
import { laterOf, type Position, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { findRoomReader, type RoomReader } from '#rooms/reading/room-reader';
import { listStickyEvents, roomsWithStickyEvents } from '#rooms/reading/sticky-events';
import { renderEvents } from '#rooms/queries/render-event';
import { ActiveUsers } from '../../notifier/active-users.js';
import { StreamMoments } from '../../streams/stream-moments.js';
import type { ListedRoom } from '../known-rooms.js';
import { STICKY_EXTENSION } from '../wire/read-request.js';
import {
  type ExtensionContext,
  type ExtensionPart,
  NOTHING_TO_TELL,
  type SlidingExtension,
} from './extension-context.js';
import { STICKY_TOKEN } from './place-token.js';

/** A sticky event that the client is to have. */
interface Due {
  readonly room: RoomReader;
  readonly row: TimelineRow;
  /** From where on it is: where it came, or where the user came later than that. undefined: the client is told the room anew. */
  readonly at: Position | undefined;
}

/**
 * The sticky events of all rooms that a list or a subscription has, whatever the ranges of the lists say, but for those in the timelines of
 * the same answer: MSC4480. What the client has is told by the token of this extension alone, on whichever connection it comes; the oldest
 * come first. A room that came into view of a connection is told whole: before that its client knew of no such room.
 */
@Injectable()
export class StickyEventsExtension implements SlidingExtension {
  readonly key = STICKY_EXTENSION;

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'stickyEvents'>,
    private readonly moments: StreamMoments,
    private readonly active: ActiveUsers,
  ) {}

  async read(context: ExtensionContext): Promise<ExtensionPart> {
    const { stickyEvents: wanted } = context.wanted;
    if (wanted === undefined || !this.config.stickyEvents) return NOTHING_TO_TELL;
    const { history } = this.views;
    const { until } = context.sync;
    const told = wanted.since === undefined ? undefined : STICKY_TOKEN.parse(history, wanted.since);
    const since = told && (await this.moments.settlePosition(told));
    const { due, isAnywhere } = await this.#findDue(context, since);
    const { events, end } = pageOf(due, wanted.limit);
    // Of a token that the log has not got to, for it was put back, there has to be another.
    if (events.length === 0 && since !== undefined && since === told && !isAnywhere) return NOTHING_TO_TELL;
    const rooms = await this.#render(events, context.sync.now);
    const token = STICKY_TOKEN.format(history, end ?? laterOf(until.position, since ?? START));
    return { json: `{"next_batch":"${token}","rooms":{${rooms.join()}}}`, isNews: events.length > 0 };
  }

  /** `isAnywhere`: something happened in a room since the token, so that a newer one saves looking there again. */
  async #findDue(context: ExtensionContext, since: Position | undefined): Promise<{ due: Due[]; isAnywhere: boolean }> {
    const { sync, listed, rooms, updates } = context;
    const { now, until } = sync;
    const { recent } = this.active;
    // To one that begins with a token nothing is new that is older than that.
    const isNew = ({ after }: ExtensionContext['rooms'][number]): boolean =>
      sync.since !== undefined && after === undefined;
    const anew = new Set(rooms.filter(isNew).map(({ selected }) => selected.room.roomId));
    // PERF: of nearly all rooms it is known in memory that nothing happened there.
    const hasNews = (roomId: RoomId): boolean =>
      since === undefined || anew.has(roomId) || recent.rooms.hasHappenedSince(roomId, since) !== false;
    const mayHave = ({ roomId, known }: ListedRoom): boolean =>
      known.membership === 'join' && (hasNews(roomId) || known.position > since!);
    const some = listed.rooms.filter(mayHave);
    const sticky = await roomsWithStickyEvents(
      this.views,
      some.map(({ roomId }) => roomId),
      now,
    );
    const due: Due[] = [];
    // PERF: filters look at no room but those few.
    for (const one of some.filter(({ roomId }) => sticky.has(roomId))) {
      const { roomId } = one;
      if (!listed.isWanted(one)) continue;
      const room = await findRoomReader(this.views, roomId, await sync.reader());
      const came = room.now?.since ?? START;
      if (came > until.position) continue;
      const isAnew = anew.has(roomId);
      const after = isAnew || since === undefined || came > since ? undefined : since;
      const timeline = updates.find((update) => update.roomId === roomId)?.contents?.timeline;
      const range = { after, upTo: until.position, now, told: new Set(timeline?.ids) };
      for (const { position, row } of await listStickyEvents(room, range))
        due.push({ room, row, at: isAnew ? undefined : laterOf(position, came) });
    }
    return { due, isAnywhere: some.length > 0 };
  }

  async #render(events: readonly Due[], now: number): Promise<string[]> {
    const byRoom = new Map<RoomReader, TimelineRow[]>();
    for (const { room, row } of events) {
      const rows = byRoom.get(room);
      if (rows === undefined) byRoom.set(room, [row]);
      else rows.push(row);
    }
    const texts: string[] = [];
    for (const [room, rows] of byRoom) {
      const rendered = await renderEvents(rows, { room, now }, 'nested');
      texts.push(`${JSON.stringify(room.roomId)}:{"events":[${rendered.join()}]}`);
    }
    return texts;
  }
}

/**
 * Those that are told at once: as many as are wanted, and besides all of rooms that are told anew, and with the last one all that are due from
 * there on: "the server MAY ignore the `limit` […] for this case". `end`: up to where they are told, where there are more.
 */
function pageOf(
  due: readonly Due[],
  limit: number,
): { readonly events: readonly Due[]; readonly end: Position | undefined } {
  const anew = due.filter(({ at }) => at === undefined);
  const others = due.filter(({ at }) => at !== undefined).sort((a, b) => (a.at! < b.at! ? -1 : a.at! > b.at! ? 1 : 0));
  const end = others.length > limit ? others[limit - 1]?.at : undefined;
  const page = end === undefined ? others : others.filter(({ at }) => at! <= end);
  return { events: [...anew, ...page], end };
}
