import { formatTimelinePlace } from '#http/tokens/timeline-token';
import { Turn } from '#projections/turn';
import { contentOfRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { findGapAt } from '#rooms/queries/find-gap';
import { listMessages, memberRowsOf } from '#rooms/queries/list-messages';
import { renderEvents } from '#rooms/queries/render-event';
import { justAfter, justBefore } from '#rooms/queries/timeline-places';
import type { RoomReader } from '#rooms/reading/room-reader';
import type { FoundEvent } from './found-events.js';
import type { ContextWish } from './parse-search.js';
import type { Writing } from './render-search.js';

/** What surrounds one result has so many characters at most, and those events are told that are nearest to it. */
const MOST = 1_000_000;
/** So many events are written at once. */
const AT_ONCE = 8;

/** One of the events around a result, with its JSON text. */
interface Told {
  readonly row: TimelineRow;
  readonly isBefore: boolean;
  readonly text: string;
}

/** What surrounds a result: as `GET /rooms/{roomId}/context/{eventId}` has it, with as many on each side as were asked for. JSON text. */
export async function renderContext(
  { room, row }: Pick<FoundEvent, 'room' | 'row'>,
  wish: ContextWish,
  writing: Writing,
): Promise<string> {
  const page = async (direction: 'b' | 'f', limit: number): Promise<readonly TimelineRow[]> => {
    if (limit === 0) return [];
    const from = direction === 'b' ? justBefore(row) : justAfter(row);
    return (await listMessages({ room, until: undefined }, { direction, from, limit })).rows;
  };
  // What is known of the time before a gap does not surround the event.
  const isCutOff = (await findGapAt(room.views, room.roomId, justBefore(row))) !== undefined;
  const told = await renderNearest(
    room,
    isCutOff ? [] : await page('b', wish.before),
    await page('f', wish.after),
    writing,
  );
  const before = told.filter(({ isBefore }) => isBefore);
  const after = told.filter(({ isBefore }) => !isBefore);
  const [first, last] = [before.at(-1)?.row ?? row, after.at(-1)?.row ?? row];
  const parts = [
    `"start":"${formatTimelinePlace(writing.history, justBefore(first))}"`,
    `"end":"${formatTimelinePlace(writing.history, justAfter(last))}"`,
    `"events_before":[${before.map(({ text }) => text).join()}]`,
    `"events_after":[${after.map(({ text }) => text).join()}]`,
  ];
  if (wish.withProfiles) {
    const rows = [row, ...told.map((one) => one.row)];
    parts.push(`"profile_info":${await renderProfiles(room, rows)}`);
  }
  return `{${parts.join()}}`;
}

/** The events on both sides, by turns, as long as there is room for them. */
async function renderNearest(
  room: RoomReader,
  older: readonly TimelineRow[],
  newer: readonly TimelineRow[],
  { form, now }: Writing,
): Promise<readonly Told[]> {
  const told: Told[] = [];
  const near = Array.from({ length: Math.max(older.length, newer.length) }, (_, i) => [
    ...older.slice(i, i + 1).map((row) => ({ row, isBefore: true })),
    ...newer.slice(i, i + 1).map((row) => ({ row, isBefore: false })),
  ]).flat();
  const turn = new Turn(1);
  let left = MOST;
  for (let i = 0; i < near.length; i += AT_ONCE) {
    const some = near.slice(i, i + AT_ONCE);
    const rows = some.map(({ row }) => row);
    const texts = await renderEvents(rows, { room, now, bundled: {} }, form);
    for (const [n, text] of texts.entries()) {
      left -= text.length;
      if (left < 0) return told;
      told.push({ ...some[n]!, text });
    }
    if (turn.isOver()) await turn.pass();
  }
  return told;
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
