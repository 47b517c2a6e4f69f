import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { MemberRow } from '#rooms/projections/member-row';
import { MEMBERS } from '#rooms/projections/membership.projector';
import { ROOMS } from '#rooms/projections/room-summary.projector';
import { contentOfRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { findStateRowAtEnd } from '#rooms/queries/stay-end';
import { findRowsById } from '#rooms/reading/event-rows';
import type { Departure } from '../parts/left-rooms.js';
import type { RoomContext } from '../parts/room-context.js';
import { isFromAny, isSummarised, readResolved, readSummary, SUMMARISED } from '../parts/summary-part.js';
import { changingRows, targetsOf, type TimelineWindow } from '../parts/timeline-window.js';
import type { Hero, RoomContents } from './room-update.js';

/** What a room is called, and how many are in it. */
export type RoomNames = Pick<RoomContents, 'name' | 'avatar' | 'heroes' | 'joined' | 'invited'>;

/** What a room is called, and how many are in it, as far as that may have changed: empty where it did not. */
export async function namesNow(
  views: Views,
  context: RoomContext,
  window: TimelineWindow,
  states: readonly TimelineRow[],
): Promise<RoomNames> {
  const { roomId, isFull, sync } = context;
  const changed = [...changingRows(window), ...states];
  const isAnew = isFull || window.limited;
  const redacted = targetsOf(changed);
  const isQuiet = redacted.size === 0 && changed.every(({ header }) => header.stateKey === undefined);
  if (!isAnew && !window.isResolved && isQuiet) return {};
  const room = await ROOMS.get(views, [roomId]);
  const isRedacted = (types: Iterable<string>): boolean => room !== undefined && isFromAny(room, types, redacted);
  const resolves = isAnew ? () => true : await readResolved(views, context, window);
  const changes = (type: string): boolean =>
    resolves(type) || isRedacted([type]) || changed.some(({ header }) => header.type === type);
  const names = {
    ...(changes('m.room.name') ? { name: room?.name ?? null } : {}),
    ...(changes('m.room.avatar') ? { avatar: room?.avatar_url ?? null } : {}),
  };
  const { userId } = sync.requester;
  if (changed.some(isSummarised) || isRedacted(SUMMARISED) || [...SUMMARISED].some(resolves)) {
    const { heroes, joined, invited } = await readSummary(views, roomId, userId);
    return { ...names, joined, invited, ...(heroes && { heroes: await readHeroes(views, roomId, heroes) }) };
  }
  if (!(await redactsMember(views, roomId, redacted))) return names;
  const { heroes = [] } = await readSummary(views, roomId, userId);
  const rows = await readMembers(views, roomId, heroes);
  const isHero = rows.some((row) => row !== undefined && redacted.has(row.event_id));
  return isHero ? { ...names, heroes: heroes.map((hero, i) => heroOf(hero, rows[i])) } : names;
}

/** What a room was called when a stay in it ended, as far as its client may not know that. */
export async function namesAtEnd(
  { room, over }: Departure,
  window: TimelineWindow,
  states: readonly TimelineRow[],
  isFull: boolean,
): Promise<Pick<RoomNames, 'name' | 'avatar'>> {
  const changed = [...changingRows(window), ...states];
  const redacted = targetsOf(changed);
  const isAnew = isFull || window.limited || window.isResolved;
  const textAtEnd = async (type: string, key: string): Promise<string | null | undefined> => {
    const isChanged = isAnew || changed.some(({ header }) => header.type === type);
    if (!isChanged && redacted.size === 0) return undefined;
    const row = await findStateRowAtEnd(room, over.last.left, [type, '']);
    if (!isChanged && (row === undefined || !redacted.has(row.header.eventId))) return undefined;
    const text = row && contentOfRow(row)[key];
    return typeof text === 'string' && text !== '' ? text : null;
  };
  return { name: await textAtEnd('m.room.name', 'name'), avatar: await textAtEnd('m.room.avatar', 'url') };
}

/** Whether any of some events may be by what somebody is in the room. */
async function redactsMember(views: Views, roomId: RoomId, redacted: ReadonlySet<string>): Promise<boolean> {
  if (redacted.size === 0) return false;
  const found = await findRowsById(views, roomId, [...redacted] as EventId[]); // of what is none there is nothing
  return found.some((row) => row?.header.membership !== undefined);
}

async function readHeroes(views: Views, roomId: RoomId, heroes: readonly UserId[]): Promise<Hero[]> {
  const rows = await readMembers(views, roomId, heroes);
  return heroes.map((hero, i) => heroOf(hero, rows[i]));
}

function readMembers(
  views: Views,
  roomId: RoomId,
  userIds: readonly UserId[],
): Promise<readonly (MemberRow | undefined)[]> {
  return MEMBERS.getMany(
    views,
    userIds.map((userId) => [roomId, userId]),
  );
}

function heroOf(userId: UserId, row: MemberRow | undefined): Hero {
  return { user_id: userId, displayname: row?.displayname, avatar_url: row?.avatar_url };
}
