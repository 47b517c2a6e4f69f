import type { EventStore, RecordedFact } from '#event-store/event-store';
import type { Position } from '#kernel/position';
import { sealFacts, type UnsealedFact } from '#event-store/seal-facts';
import { sayAgain } from '#event-store/shorten-stream';
import { bytesInLog, inGroups, MOST_IN_A_WRITE } from '#rooms/facts/log-limits';
import type { BackupState, SessionBackedUp, SessionsRemoved } from './facts/backup-facts.js';

/** So many facts at once are read to be said again. */
const AT_ONCE = 200;

/**
 * Has the facts of a backup go that others have overtaken: the keys that count are said again at the end, with the count and the
 * etag of now, and all before that may go, once the views have come by the position that is answered: among it is which keys were removed. Keys may be many, so only
 * their names are held. Throws RevisionConflict where somebody else writes the stream: then nothing is lost, and some is said twice.
 */
export async function sayBackupAgain(
  store: EventStore,
  stream: string,
): Promise<{ readonly before: number; readonly position: Position } | undefined> {
  const { counting, last } = await findCounting(store, stream);
  if (last === undefined) return undefined;
  const { count, etag } = JSON.parse(last.data) as BackupState; // all facts of these streams have both
  let { revision } = last;
  let { chain } = last.metadata;
  for (let at = 0; at < counting.length; at += AT_ONCE) {
    const again: UnsealedFact[] = [];
    for (const each of counting.slice(at, at + AT_ONCE)) {
      for await (const fact of store.readStream(stream, { from: each, limit: 1 })) {
        const data = { ...(JSON.parse(fact.data) as SessionBackedUp), count, etag };
        again.push({ ...sayAgain(fact), data: JSON.stringify(data) });
      }
    }
    for (const group of inGroups(again, ({ data }) => bytesInLog(data), MOST_IN_A_WRITE)) {
      const facts = sealFacts(chain, group);
      ({ revision } = await store.append(stream, revision, facts));
      ({ chain } = facts.at(-1)!.metadata);
    }
  }
  return { before: Math.min(last.revision + 1, revision), position: last.position };
}

/** The revisions of the facts that count, in their order, and the last fact of all. */
async function findCounting(
  store: EventStore,
  stream: string,
): Promise<{ readonly counting: readonly number[]; readonly last: RecordedFact | undefined }> {
  const bySession = new Map<string, number>();
  let last: RecordedFact | undefined;
  for await (const fact of store.readStream(stream)) {
    last = fact;
    if (fact.type === 'session-backed-up') {
      const { room_id: roomId, session_id: sessionId } = JSON.parse(fact.data) as SessionBackedUp;
      const name = JSON.stringify([roomId, sessionId]);
      bySession.delete(name); // put behind the others: they are said again in their order
      bySession.set(name, fact.revision);
      continue;
    }
    const { sessions } = JSON.parse(fact.data) as SessionsRemoved;
    for (const [roomId, ids] of Object.entries(sessions)) {
      for (const id of ids) bySession.delete(JSON.stringify([roomId, id]));
    }
  }
  return { counting: [...bySession.values()], last };
}
