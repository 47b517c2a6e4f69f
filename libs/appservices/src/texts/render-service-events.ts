import type { RecordedFact } from '#event-store/event-store';
import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { type MembershipTold, userIdOfElsewhere } from '#rooms/facts/elsewhere-facts';
import { POTENTIAL_MEMBERS_STATE } from '#rooms/facts/potential-members-state';
import { roomIdOfStream } from '#rooms/facts/room-facts';
import { clientEventOf } from '#rooms/projections/client-event';
import { elsewhereRowOf } from '#rooms/projections/elsewhere-rows';
import type { RoomFactReader } from '#rooms/projections/room-fact-reader';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { findStateRowsAt } from '#rooms/queries/past-state';
import { renderStripped } from '#rooms/queries/render-event';
import { findRowInRoom } from '#rooms/reading/event-rows';
import { withoutExpired } from '#rooms/reading/withhold-expired';

/** Whom an application service is told more of: who is invited may know some of the room before they join it. */
export type IsItsUser = (userId: string) => boolean;

/**
 * The event of a fact as an application service gets it, as JSON text: in the form of the client-server API, and whole, whatever the history
 * visibility of its room says, for the operator has let the service hear of it; but for what the room keeps no longer. `madeAt`: as of when, in milliseconds since the epoch.
 * Throws ViewsUnavailable.
 */
export async function renderServiceEvent(
  fact: RecordedFact,
  reader: RoomFactReader,
  views: Views,
  isItsUser: IsItsUser,
  madeAt: number,
): Promise<string> {
  if (fact.type === 'membership-told') return renderTold(fact, madeAt);
  const roomId = roomIdOfStream(fact.stream);
  const row = await withoutExpired(views, roomId, parseRow(reader.accepted(fact).row), madeAt);
  const { sentAt, replaces, redactedBy, membership, stateKey, position } = row.header;
  const parts = [ageOf(sentAt, madeAt)];
  if (replaces !== undefined) {
    const replaced = await findRowInRoom(views, roomId, replaces);
    parts.push(`"replaces_state":${JSON.stringify(replaces)}`);
    if (replaced !== undefined) {
      parts.push(`"prev_content":${replaced.content}`, `"prev_sender":${JSON.stringify(replaced.header.sender)}`);
    }
  }
  if (redactedBy !== undefined) parts.push(`"redacted_by":${JSON.stringify(redactedBy)}`);
  if (membership === 'invite' && stateKey !== undefined && isItsUser(stateKey)) {
    const keys = POTENTIAL_MEMBERS_STATE.map((type) => [type, ''] as const);
    parts.push(strippedState(await findStateRowsAt(views, roomId, keys, position), roomId));
  }
  return withUnsigned(clientEventOf(row, roomId), parts);
}

/** Of a room that is not here: what its servers told. */
function renderTold(fact: RecordedFact, madeAt: number): string {
  const told = JSON.parse(fact.data) as MembershipTold; // written by libs/rooms
  const { member, state } = elsewhereRowOf(fact, told);
  const row = parseRow(member);
  const parts = [ageOf(row.header.sentAt, madeAt)];
  if (told.membership === 'invite') parts.push(`"invite_room_state":[${state.join()}]`);
  const text = clientEventOf(row, told.room_id);
  // Of one that nobody took the word of no more is known than what it says.
  return withUnsigned(row.header.stateKey === undefined ? withStateKey(text, fact) : text, parts);
}

function withStateKey(event: string, { stream }: RecordedFact): string {
  return `${event.slice(0, -1)},"state_key":${JSON.stringify(userIdOfElsewhere(stream))}}`;
}

function strippedState(rows: readonly (TimelineRow | undefined)[], roomId: RoomId): string {
  const told = rows.flatMap((row) => (row === undefined ? [] : [renderStripped(row, roomId)]));
  return `"invite_room_state":[${told.join()}]`;
}

function ageOf(sentAt: number, madeAt: number): string {
  return `"age":${Math.min(Math.max(0, madeAt - sentAt), Number.MAX_SAFE_INTEGER)}`;
}

function withUnsigned(event: string, parts: readonly string[]): string {
  return `${event.slice(0, -1)},"unsigned":{${parts.join()}}}`;
}
