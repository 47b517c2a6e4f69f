import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { MEMBERS, ROOM_COUNTS, ROOM_MEMBERS } from '#rooms/projections/membership.projector';
import { ROOMS } from '#rooms/projections/room-summary.projector';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { findRowsById } from '#rooms/reading/event-rows';

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
const SUMMARISED: ReadonlySet<string> = new Set(['m.room.member', 'm.room.name', 'm.room.canonical_alias']);

/** Whether one of these events can have changed the summary of their room. */
export async function changesSummary(views: Views, roomId: RoomId, rows: readonly TimelineRow[]): Promise<boolean> {
  if (rows.some(({ header }) => header.stateKey !== undefined && SUMMARISED.has(header.type))) return true;
  const redacted = await redactedTypes(views, roomId, rows);
  return redacted.some((type) => SUMMARISED.has(type));
}

/** The types of what a room and those in it are called by that was redacted by one of these events: no state event says so. */
export async function redactedTypes(views: Views, roomId: RoomId, rows: readonly TimelineRow[]): Promise<string[]> {
  const redacted = redactedBy(rows);
  if (redacted.size === 0) return [];
  const from = Object.entries((await ROOMS.get(views, [roomId]))?.from ?? {});
  const types = from.filter(([, eventId]) => eventId !== undefined && redacted.has(eventId)).map(([type]) => type);
  return (await redactsMember(views, roomId, redacted)) ? [...types, 'm.room.member'] : types;
}

/** What some events redact. */
export function redactedBy(rows: readonly TimelineRow[]): ReadonlySet<string> {
  return new Set(rows.flatMap(({ header }) => header.redacts ?? []));
}

/** Whether any of some events is by what somebody is in the room now. */
async function redactsMember(views: Views, roomId: RoomId, redacted: ReadonlySet<string>): Promise<boolean> {
  const found = await findRowsById(views, roomId, [...redacted] as EventId[]); // of what is none there is nothing
  const userIds = found.flatMap((row) => (row?.header.membership === undefined ? [] : (row.header.stateKey as UserId)));
  const members = await MEMBERS.getMany(
    views,
    userIds.map((userId) => [roomId, userId]),
  );
  return members.some((member) => member !== undefined && redacted.has(member.event_id));
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
