import type { EventStore } from '#event-store/event-store';
import { findRefusals, type RefusalOf } from '#federation/refusals/read-refusals';
import type { RoomId } from '#kernel/ids';
import type { AuditEntry } from '#rooms/audit/audit-room';
import { moment, visible } from '../terminal/units.js';

/** Something of a room that was refused, so that the room has no fact of it. */
export interface RefusedEntry extends Pick<AuditEntry, 'at' | 'actor' | 'who' | 'transaction' | 'what'> {
  readonly fact: 'refused';
  readonly event_id?: string;
}

/** What was refused lately of other servers in a room, and is not in its facts: oldest first. */
export async function refusedOfRoom(store: EventStore, roomId: RoomId): Promise<RefusedEntry[]> {
  const found = await findRefusals(store, (one) => one.room_id === roomId && one.reason !== undefined);
  return found.map(entryOf);
}

function entryOf({ at, server, kind, event_id: eventId, txn_id: transaction, reason }: RefusalOf): RefusedEntry {
  const what = kind === 'given-up' ? 'which was given up' : 'which was refused';
  const sent = kind === 'invitation' ? `the invitation ${eventId}` : (eventId ?? 'an EDU');
  const words = visible(`sent ${sent}, ${what}: ${reason}`);
  return { at, actor: server, who: server, transaction, fact: 'refused', event_id: eventId, what: words };
}

/** Some entries with those that were refused between them, by when they came. */
export async function* withRefused(
  entries: AsyncIterable<AuditEntry>,
  refused: readonly RefusedEntry[],
): AsyncGenerator<AuditEntry | RefusedEntry> {
  let next = 0;
  for await (const entry of entries) {
    while (next < refused.length && refused[next]!.at < entry.at) yield refused[next++]!;
    yield entry;
  }
  yield* refused.slice(next);
}

/** As a line. */
export function refusedLine({ at, who, what, transaction }: RefusedEntry): string {
  const sent = transaction === undefined ? '' : ` (transaction ${visible(transaction)})`;
  return `     -  ${moment(at)}  ${who} ${what}${sent}`;
}
