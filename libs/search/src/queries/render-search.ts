import { formatTimelinePlace } from '#http/tokens/timeline-token';
import type { RoomId } from '#kernel/ids';
import { contentOfRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { listStateFor } from '#rooms/queries/get-state';
import { listMessages, memberRowsOf } from '#rooms/queries/list-messages';
import { type EventForm, renderEvents } from '#rooms/queries/render-event';
import { justAfter, justBefore } from '#rooms/queries/timeline-places';
import { findGapAt } from '#rooms/queries/find-gap';
import type { RoomReader } from '#rooms/reading/room-reader';
import { MatrixError } from '#kernel/matrix-error';
import { highlightsOf } from '../words/highlights-of.js';
import type { ContextWish, GroupKey, SearchRequest } from './parse-search.js';
import type { FoundEvent, SearchPage } from './search-events.js';
import { textOfRow } from './shown-texts.js';
import { formatSearchPlace, type Group } from './search-token.js';

/** How results are written. */
interface Writing {
  readonly form: EventForm;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What was found as a client gets it, `room_events` of `search_categories`. JSON text. */
export async function renderSearch(page: SearchPage, request: SearchRequest, writing: Writing): Promise<string> {
  const { results, count } = page;
  const events = await renderEach(results, writing);
  const contexts = await Promise.all(
    results.map((found) =>
      request.context === undefined ? undefined : renderContext(found, request.context, writing),
    ),
  );
  const texts = results.map(({ rank }, i) => {
    const context = contexts[i] === undefined ? '' : `,"context":${contexts[i]}`;
    return `{"rank":${rank},"result":${events[i]}${context}}`;
  });
  const shown = results.map(({ row, editedText }) => editedText ?? textOfRow(row));
  const highlights = results.length === 0 ? [] : highlightsOf(request.term, shown);
  const parts = [
    `"count":${count}`,
    `"highlights":${JSON.stringify(highlights)}`,
    `"results":[${texts.join()}]`,
    `"state":${request.withState ? await renderState(results, writing) : '{}'}`,
  ];
  if (request.groupBy.length > 0) parts.push(`"groups":${JSON.stringify(groupsOf(page, request.groupBy))}`);
  if (page.next !== undefined) parts.push(`"next_batch":"${formatPlace(page, page.next)}"`);
  return `{${parts.join()}}`;
}

function formatPlace({ results, upTo }: SearchPage, offset: number, group?: Group): string {
  const { history } = results[0]!.room.views;
  return formatSearchPlace(history, { upTo, offset, ...(group === undefined ? {} : { group }) });
}

/** Each result, those of one room together. */
async function renderEach(results: readonly FoundEvent[], { form, now }: Writing): Promise<string[]> {
  const texts: string[] = Array.from({ length: results.length });
  for (const [room, places] of placesByRoom(results)) {
    const rows = places.map((i) => results[i]!.row);
    const rendered = await renderEvents(rows, { room, now, bundled: {} }, form);
    for (const [n, i] of places.entries()) texts[i] = rendered[n]!;
  }
  return texts;
}

function placesByRoom(results: readonly FoundEvent[]): Map<RoomReader, number[]> {
  const first = new Map<RoomId, RoomReader>();
  const places = new Map<RoomReader, number[]>();
  for (const [i, { room }] of results.entries()) {
    const reader = first.get(room.roomId) ?? room;
    first.set(room.roomId, reader);
    places.set(reader, [...(places.get(reader) ?? []), i]);
  }
  return places;
}

/** What surrounds a result: as `GET /rooms/{roomId}/context/{eventId}` has it, with as many on each side as were asked for. */
async function renderContext({ room, row }: FoundEvent, wish: ContextWish, { form, now }: Writing): Promise<string> {
  const { views, roomId } = room;
  const page = async (direction: 'b' | 'f', limit: number): Promise<readonly TimelineRow[]> => {
    if (limit === 0) return [];
    const from = direction === 'b' ? justBefore(row) : justAfter(row);
    return (await listMessages({ room, until: undefined }, { direction, from, limit })).rows;
  };
  // What is known of the time before a gap does not surround the event.
  const isCutOff = (await findGapAt(views, roomId, justBefore(row))) !== undefined;
  const [before, after] = [isCutOff ? [] : await page('b', wish.before), await page('f', wish.after)];
  const rendered = await renderEvents([...before, ...after], { room, now, bundled: {} }, form);
  const [first, last] = [before.at(-1) ?? row, after.at(-1) ?? row];
  const parts = [
    `"start":"${formatTimelinePlace(views.history, justBefore(first))}"`,
    `"end":"${formatTimelinePlace(views.history, justAfter(last))}"`,
    `"events_before":[${rendered.slice(0, before.length).join()}]`,
    `"events_after":[${rendered.slice(before.length).join()}]`,
  ];
  if (wish.withProfiles) parts.push(`"profile_info":${await renderProfiles(room, [row, ...before, ...after])}`);
  return `{${parts.join()}}`;
}

/** "the historic profile information for the users that sent the events that were returned": as of the last of these. */
async function renderProfiles(room: RoomReader, rows: readonly TimelineRow[]): Promise<string> {
  const members = await memberRowsOf(room.views, room.roomId, rows);
  const shown = await room.shownOf(members);
  const profiles = shown.map((member) => {
    const { displayname, avatar_url } = contentOfRow(member);
    const profile = {
      ...(typeof displayname === 'string' ? { displayname } : {}),
      ...(typeof avatar_url === 'string' ? { avatar_url } : {}),
    };
    return [member.header.stateKey ?? '', profile] as const;
  });
  return JSON.stringify(Object.fromEntries(profiles));
}

/** The state of each room of the results as the reader may see it; none of a room of which they see events alone. */
async function renderState(results: readonly FoundEvent[], { form, now }: Writing): Promise<string> {
  const parts: string[] = [];
  for (const [{ views, roomId, reader }] of placesByRoom(results)) {
    try {
      const { room, rows } = await listStateFor(views, roomId, reader);
      parts.push(`${JSON.stringify(roomId)}:[${(await renderEvents(rows, { room, now }, form)).join()}]`);
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error;
    }
  }
  return `{${parts.join()}}`;
}

interface GroupAnswer {
  readonly order: number;
  readonly results: string[];
  readonly next_batch?: string;
}

/** The groups of a page, by the key and the value, in the order of their first results. */
function groupsOf(page: SearchPage, keys: readonly GroupKey[]): Record<string, Record<string, GroupAnswer>> {
  return Object.fromEntries(
    keys.map((by) => {
      const groups = new Map<string, string[]>();
      for (const { room, row } of page.results) {
        const value = by === 'room_id' ? room.roomId : row.header.sender;
        groups.set(value, [...(groups.get(value) ?? []), row.header.eventId]);
      }
      const answers = [...groups].map(([value, results], i): [string, GroupAnswer] => {
        const left = page.groupsLeft({ by, value });
        const more = left === undefined ? {} : { next_batch: formatPlace(page, left, { by, value }) };
        return [value, { order: i + 1, results, ...more }];
      });
      return [by, Object.fromEntries(answers)];
    }),
  );
}
