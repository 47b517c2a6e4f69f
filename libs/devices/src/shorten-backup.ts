import type { EventStore, RecordedFact } from '#event-store/event-store';
import { sealFacts, type UnsealedFact } from '#event-store/seal-facts';
import { type SaidAgain, sayAgain } from '#event-store/shorten-stream';
import { bytesInLog, inGroups, MOST_IN_A_WRITE } from '#rooms/facts/log-limits';
import type { BackupState, SessionBackedUp, SessionsRemoved } from './facts/backup-facts.js';

/** So many facts at once are read to be said again. */
const AT_ONCE = 200;

/**
 * Has the facts of a backup go that others have overtaken: the keys that count are said again at the end, with the count and the etag of now, and before them which keys were
 * removed that do not (`over`): else a view that has read something of what goes at once would keep them. Keys may be many, so only their names are held. Throws
 * RevisionConflict where somebody else writes the stream: then nothing is lost, and some is said twice.
 */
export async function sayBackupAgain(store: EventStore, stream: string): Promise<SaidAgain | undefined> {
  const { counting, removals, last } = await findCounting(store, stream);
  if (last === undefined) return undefined;
  // What is left to be said stands there already.
  if (counting.size === 0 && removals.every((each) => each === last.revision)) return { before: last.revision };
  const { count, etag } = JSON.parse(last.data) as BackupState; // all facts of these streams have both
  let { revision, position } = last;
  let { chain } = last.metadata;
  const say = async (revisions: readonly number[], readData: (data: string) => object | undefined): Promise<void> => {
    for (let at = 0; at < revisions.length; at += AT_ONCE) {
      const again: UnsealedFact[] = [];
      for (const each of revisions.slice(at, at + AT_ONCE)) {
        for await (const fact of store.readStream(stream, { from: each, limit: 1 })) {
          const data = readData(fact.data);
          if (data !== undefined) again.push({ ...sayAgain(fact), data: JSON.stringify({ ...data, count, etag }) });
        }
      }
      for (const group of inGroups(again, ({ data }) => bytesInLog(data), MOST_IN_A_WRITE)) {
        const facts = sealFacts(chain, group);
        ({ revision, position } = await store.append(stream, revision, facts));
        ({ chain } = facts.at(-1)!.metadata);
      }
    }
  };
  await say(removals, (data) => withoutCounting(data, counting));
  const over = { before: revision + 1, position };
  await say([...counting.values()], (data) => JSON.parse(data) as SessionBackedUp);
  const before = Math.min(last.revision + 1, revision);
  over.before = Math.min(over.before, revision);
  return over.before === before ? { before } : { before, over };
}

const nameOf = (roomId: string, sessionId: string): string => JSON.stringify([roomId, sessionId]);

/** A removal of those keys alone that were not stored again; undefined where that is none. */
function withoutCounting(data: string, counting: ReadonlyMap<string, number>): SessionsRemoved | undefined {
  const removed = JSON.parse(data) as SessionsRemoved;
  const sessions = Object.entries(removed.sessions)
    .map(([roomId, ids]) => [roomId, ids.filter((id) => !counting.has(nameOf(roomId, id)))] as const)
    .filter(([, ids]) => ids.length > 0);
  return sessions.length === 0 ? undefined : { ...removed, sessions: Object.fromEntries(sessions) };
}

interface BackupFacts {
  /** The revisions of the facts that count, by the names of their keys, in their order. */
  readonly counting: ReadonlyMap<string, number>;
  /** Those of the facts by which keys were removed. */
  readonly removals: readonly number[];
  readonly last: RecordedFact | undefined;
}

async function findCounting(store: EventStore, stream: string): Promise<BackupFacts> {
  const counting = new Map<string, number>();
  const removals: number[] = [];
  let last: RecordedFact | undefined;
  for await (const fact of store.readStream(stream)) {
    last = fact;
    if (fact.type === 'session-backed-up') {
      const { room_id: roomId, session_id: sessionId } = JSON.parse(fact.data) as SessionBackedUp;
      const name = nameOf(roomId, sessionId);
      counting.delete(name); // put behind the others: they are said again in their order
      counting.set(name, fact.revision);
      continue;
    }
    const { sessions } = JSON.parse(fact.data) as SessionsRemoved;
    if (Object.keys(sessions).length > 0) removals.push(fact.revision);
    for (const [roomId, ids] of Object.entries(sessions)) for (const id of ids) counting.delete(nameOf(roomId, id));
  }
  return { counting, removals, last };
}
