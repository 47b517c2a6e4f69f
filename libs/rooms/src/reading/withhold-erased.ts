import { type ErasedUsers, erasureOf, findErasedUsers } from '#accounts/queries/erased-users';
import type { UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { TimelineRow } from '../projections/timeline-row.js';
import { findRowsById } from './event-rows.js';
import { findVersion, redactedCopy } from './redacted-copy.js';
import type { RoomReader } from './room-reader.js';
import { findStanding, type Standing } from './standing.js';

/**
 * The same events, those redacted whose senders have erased themselves: "any users […] which join the room after the erasure
 * request are served redacted copies of the events sent by this account. Users which had visibility on those events prior to
 * the erasure are still able to see unredacted copies" (client-server API, "Account deactivation"). `room` covers them all.
 * PERF: who was in the room at all of them costs no read, which is nearly everybody.
 * NOTSPEC: of state events only those of members are redacted, which carry names and pictures. The others are the room's: one
 * whose encryption or name was set by somebody who is gone must not lose it for those to come.
 */
export async function withholdErased(room: RoomReader, rows: readonly TimelineRow[]): Promise<readonly TimelineRow[]> {
  const senders = new Set<UserId>();
  for (const { header } of rows) if (mayConcern(room, header)) senders.add(header.sender);
  const erased = senders.size === 0 ? NOBODY : await findErasedUsers(room.views, senders);
  if (erased.size === 0) return rows;
  const version = await findVersion(room);
  const standings = new Map<Position, Standing | undefined>();
  for (const times of erased.values()) for (const { at } of times) standings.set(at, await standingAt(room, at));
  const { there, headerOf } = await whereTheyCame(room, rows);
  return rows.map((row) => {
    const times = erased.get(row.header.sender);
    if (times === undefined || !mayConcern(room, row.header)) return row;
    const header = headerOf(row);
    const at = erasureOf(times, header ?? { ...row.header, isHistory: true });
    if (at === undefined) return row;
    const isSeen = header !== undefined && (!mayConcern(there, header) || hadSeen(there, header, standings.get(at)));
    return isSeen ? row : redactedCopy(row, version);
  });
}

/** The headers that say where events came, and the reader over all of those: of one that holds its key again it is that of its own row. */
async function whereTheyCame(
  room: RoomReader,
  rows: readonly TimelineRow[],
): Promise<{ readonly there: RoomReader; readonly headerOf: (row: TimelineRow) => Header | undefined }> {
  const again = rows.flatMap(({ header }) => (header.isAgain === true ? [header.eventId] : []));
  if (again.length === 0) return { there: room, headerOf: ({ header }) => header };
  const found = (await findRowsById(room.views, room.roomId, again)).filter((row) => row !== undefined);
  const own = new Map(found.map(({ header }) => [header.eventId, header]));
  const headerOf = ({ header }: TimelineRow): Header | undefined =>
    header.isAgain === true ? own.get(header.eventId) : header;
  return { there: await room.over([...rows, ...found]), headerOf };
}

type Header = TimelineRow['header'];

const NOBODY: ErasedUsers = new Map();

/** Whether an event would be redacted if its sender were erased and the reader came after that. */
function mayConcern(room: RoomReader, header: Header): boolean {
  const { stateKey, membership, redactedBy, sender } = header;
  const isPersonal = stateKey === undefined || membership !== undefined;
  if (!isPersonal || redactedBy !== undefined || sender === room.reader.userId) return false;
  return header.isAgain === true || room.membershipAt(header) !== 'join';
}

/** Whether the reader had seen an event, or could have, before its sender was erased: `then` is what they were at that time. */
function hadSeen(room: RoomReader, header: Header, then: Standing | undefined): boolean {
  const { position, visibility, stateKey, membership, isHistory } = header;
  if (room.membershipAt(header) === 'invite' && visibility === 'invited') return true;
  if (membership !== undefined && stateKey === room.reader.userId && room.membershipBefore(header) === 'join')
    return true;
  return then !== undefined && (then.membership === 'join' || (isHistory !== true && then.left > position));
}

/** What the reader was when somebody was erased; nothing for who has forgotten the room. */
async function standingAt({ views, roomId, reader, now }: RoomReader, at: Position): Promise<Standing | undefined> {
  if (now === undefined) return undefined;
  return findStanding(views, roomId, reader.userId, at);
}
