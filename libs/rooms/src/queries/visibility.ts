import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import type { HistoryVisibility } from '../facts/room-facts.js';
import type { RowHeader } from '../projections/timeline-row.js';

/** From this position on the reader's membership is this, until the next entry. */
export interface MembershipChange {
  readonly position: Position;
  readonly membership: string;
}

/** What a reader was in a room, in the order of the log: few entries, whatever the room's size. */
export interface ReaderHistory {
  readonly userId: UserId;
  readonly changes: readonly MembershipChange[];
}

/** The most changes of one member that are looked at; the oldest count first. */
const MAX_CHANGES = 10_000;

/** Reads what a user was in a room and when. */
export async function readerHistory(views: Views, roomId: RoomId, userId: UserId): Promise<ReaderHistory> {
  const rows = await views.scan('membership-log', { prefix: [roomId, userId], limit: MAX_CHANGES });
  return { userId, changes: rows.map(({ key, value }) => ({ position: key[2] as Position, membership: value })) };
}

/**
 * Whether a reader may see an event: client-server API, "Room History Visibility". What counts is the visibility and the
 * reader's membership at the event; for the events that change one of the two, the more open of before and after.
 */
export function isVisible(header: Pick<RowHeader, 'p' | 'v' | 'w' | 't' | 'k'>, reader: ReaderHistory): boolean {
  const { before, after, joinsLater } = membershipAt(reader, header.p);
  const visibilities = header.w === undefined ? [header.v] : [header.v, header.w];
  const isOwn = header.t === 'm.room.member' && header.k === reader.userId;
  const memberships = isOwn ? [before, after] : [after];
  return visibilities.some((visibility) =>
    memberships.some((membership) => mayRead(visibility, membership, joinsLater)),
  );
}

/** What the reader was at an event: `leave` before there was anything. */
export function membershipAtEvent(reader: ReaderHistory, position: Position): string {
  return membershipAt(reader, position).after;
}

/** What the reader is now; undefined where the room never heard of them. */
export function currentMembership(reader: ReaderHistory): string | undefined {
  return reader.changes.at(-1)?.membership;
}

/** Whether the reader ever was in the room. */
export function wasJoined(reader: ReaderHistory): boolean {
  return reader.changes.some(({ membership }) => membership === 'join');
}

function mayRead(visibility: HistoryVisibility, membership: string, joinsLater: boolean): boolean {
  if (visibility === 'world_readable' || membership === 'join') return true;
  if (visibility === 'shared') return joinsLater;
  return visibility === 'invited' && membership === 'invite' && joinsLater;
}

interface MembershipAt {
  readonly before: string;
  readonly after: string;
  /** Whether the reader is joined at the event or at any time behind it. */
  readonly joinsLater: boolean;
}

function membershipAt({ changes }: ReaderHistory, position: Position): MembershipAt {
  let before = 'leave';
  let after = 'leave';
  let joinsLater = false;
  for (const change of changes) {
    if (change.position < position) before = change.membership;
    if (change.position <= position) after = change.membership;
    else if (change.membership === 'join') joinsLater = true;
  }
  return { before, after, joinsLater: joinsLater || after === 'join' };
}
