import type { RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { MEMBERS, ROOM_COUNTS, ROOM_MEMBERS } from '#rooms/projections/membership.projector';
import { type RoomSummary, ROOMS } from '#rooms/projections/room-summary.projector';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { listStateChanges } from '#rooms/queries/past-state';
import type { RoomContext } from './room-context.js';
import { changingRows, targetsOf, type TimelineWindow } from './timeline-window.js';

/** What helps a client to show a room that has no name: client-server API, "Syncing", `summary`. */
export interface SummaryPart {
  readonly heroes: readonly UserId[] | undefined;
  readonly joined: number;
  readonly invited: number;
}

const HEROES = 5;
/** Of a larger room only so many members of each kind are looked at to find the first ones. */
const CANDIDATES = 200;

/** The state events that can change a summary. */
export const SUMMARISED: ReadonlySet<string> = new Set(['m.room.member', 'm.room.name', 'm.room.canonical_alias']);

/** Whether what happened in a stretch without a gap can have changed the summary of its room. */
export async function changesSummary(views: Views, room: RoomContext, window: TimelineWindow): Promise<boolean> {
  const rows = changingRows(window);
  const { userId } = room.sync.requester;
  // Nobody is their own hero, and who is in a room and says something else of themself counts as before.
  if (rows.some((row) => isSummarised(row) && !isMemberEventOf(row, userId))) return true;
  const redacted = targetsOf(rows);
  const summary = redacted.size === 0 ? undefined : await ROOMS.get(views, [room.roomId]);
  if (summary !== undefined && isFromAny(summary, SUMMARISED, redacted)) return true;
  const resolves = await readResolved(views, room, window);
  return [...SUMMARISED].some(resolves);
}

/** Tells of which types the state changed in a stretch where the room's ends met or parted there: no event of the stretch may say so. */
export async function readResolved(
  views: Views,
  { roomId, after, upTo, end }: RoomContext,
  { isResolved }: TimelineWindow,
): Promise<(type: string) => boolean> {
  if (!isResolved || after === undefined) return () => false;
  const { rows, gone } = await listStateChanges(views, roomId, after, end?.place ?? upTo);
  return (type) =>
    rows.some(({ header }) => header.type === type) || gone.some((key) => key.startsWith(stateKeyOf(type, '')));
}

/** Whether a state event can have changed the summary of its room. */
export function isSummarised({ header: { type, stateKey } }: TimelineRow): boolean {
  return stateKey !== undefined && SUMMARISED.has(type);
}

function isMemberEventOf({ header: { type, stateKey } }: TimelineRow, userId: UserId): boolean {
  return type === 'm.room.member' && stateKey === userId;
}

/** Whether any of some events is by what a room has its name, or whatever else of one of some types: no state event says so. */
export function isFromAny(
  { from }: Pick<RoomSummary, 'from'>,
  types: Iterable<string>,
  redacted: ReadonlySet<string>,
): boolean {
  for (const type of types) if (redacted.has(from[type] ?? '')) return true;
  return false;
}

/** The summary of a room as it is now. Heroes only where it has neither a name nor an alias to be called by. */
export async function readSummary(views: Views, roomId: RoomId, reader: UserId): Promise<SummaryPart> {
  const [counts, room] = await Promise.all([ROOM_COUNTS.get(views, [roomId]), ROOMS.get(views, [roomId])]);
  const isNamed = room?.name !== undefined || room?.canonical_alias !== undefined;
  return {
    heroes: isNamed ? undefined : await findHeroes(views, roomId, reader),
    joined: counts?.joined ?? 0,
    invited: counts?.invited ?? 0,
  };
}

/** The summary as JSON text. */
export function formatSummary({ heroes, joined, invited }: SummaryPart): string {
  return JSON.stringify({ 'm.heroes': heroes, 'm.joined_member_count': joined, 'm.invited_member_count': invited });
}

/** "The first 5 members of the room, ordered by stream ordering, which are joined or invited", else those who were. */
async function findHeroes(views: Views, roomId: RoomId, reader: UserId): Promise<UserId[]> {
  const present = await firstMembers(views, roomId, reader, ['join', 'invite']);
  return present.length > 0 ? present : firstMembers(views, roomId, reader, ['leave', 'ban']);
}

async function firstMembers(
  views: Views,
  roomId: RoomId,
  reader: UserId,
  memberships: readonly string[],
): Promise<UserId[]> {
  const scans = memberships.map((membership) =>
    ROOM_MEMBERS.scan(views, { prefix: [roomId, membership], limit: CANDIDATES }),
  );
  const users = (await Promise.all(scans)).flat().map(({ key }) => key[2]);
  const others = users.filter((userId) => userId !== reader);
  if (others.length === 0) return [];
  const rows = await MEMBERS.getMany(
    views,
    others.map((userId) => [roomId, userId]),
  );
  return others
    .map((userId, i) => ({ userId, pos: rows[i]?.pos ?? '' }))
    .sort((a, b) => (a.pos < b.pos ? -1 : 1))
    .slice(0, HEROES)
    .map(({ userId }) => userId);
}
