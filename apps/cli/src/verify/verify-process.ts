import { readdirSync, writeSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { getSystemErrorName } from 'node:util';
import type { EventStore } from '#event-store/event-store';
import { CommitsNotHeld } from '#event-store/lmdb/open-beside-writer';
import { START } from '#kernel/position';
import { messageOf } from '#kernel/message-of';
import { keyRing } from './key-ring.js';
import { serverOfLog } from '../server-of-log.js';
import type { LogFinding, Place } from './finding.js';
import { keysOfOthers } from './keys-of-others.js';
import { encodePlace, PLACE_DESCRIPTOR, type PublicKey, type VerifyMessage, type VerifyTask } from './messages.js';
import { compareCounts, verifyLog } from './verify-log.js';

/** For how long a server may fail to answer. */
const PATIENCE_MS = 60_000;

/*
 * The process in which a log is verified: LMDB maps the file into memory, and a damaged page can make it read where nothing
 * is. Then this process dies, and the one that started it says where.
 */

const TELL_EVERY_MS = 100;
/** Sent also while there is nothing new: who hears nothing at all takes this process for stuck. */
const HEARTBEAT_MS = 1000;

process.once('message', (task) => {
  void run(task as VerifyTask).finally(() => process.disconnect());
});
// Whoever started it has gone.
process.once('disconnect', () => process.exit());

async function run(task: VerifyTask): Promise<void> {
  const store = await openLog(task);
  if (store === undefined) return;
  const server = await findServer(store);
  if (task.server !== undefined && server !== undefined && server !== task.server) {
    await store.close();
    const error = `ANNALS_SERVER_NAME is ${task.server}, but the log is that of ${server}`;
    return tell({ kind: 'refused', error });
  }
  const unverifiable: Record<string, number> = {};
  let done = 0;
  let current: string | undefined;
  let toldAt = 0;
  const tellProgress = (): void => void tell({ kind: 'progress', done, stream: current });
  const heartbeat = setInterval(tellProgress, HEARTBEAT_MS);
  const onPlace = (place: Place): void => {
    keepPlace(place);
    current = place.phase === 'stream' ? place.stream : undefined;
  };
  const onFact = (): void => {
    done++;
    const now = performance.now();
    if (now - toldAt < TELL_EVERY_MS) return;
    toldAt = now;
    tellProgress();
  };
  const report = (finding: LogFinding): void => void tell({ kind: 'finding', finding });
  const isEmbedded = 'directory' in task.log;
  try {
    if (task.compare !== undefined && task.head !== undefined) {
      const { head, compare } = task;
      await compareCounts(compare, { store, head, isEmbedded, report, onPlace, onFact: () => {} });
      const nothing = { head, streams: 0, rooms: 0, facts: 0, isComplete: true };
      return await tell({ kind: 'done', log: nothing, unverifiable: {} });
    }
    const log = await verifyLog({
      store,
      keys: keyRing([...(await findKeysOfOthers(store, task)), ...task.keys], server),
      resume: task.resume,
      part: task.part,
      head: task.head,
      report,
      isEmbedded,
      onStream: () => void tell({ kind: 'checkpoint' }),
      onPlace,
      onFact,
      onUnverifiable: (name) => void (unverifiable[name] = (unverifiable[name] ?? 0) + 1),
    });
    await tell({ kind: 'done', log, unverifiable });
  } catch (error) {
    await tell({ kind: 'failed', error: messageOf(error) });
  } finally {
    clearInterval(heartbeat);
    await store.close();
  }
}

async function openLog({ log }: VerifyTask): Promise<EventStore | undefined> {
  try {
    keepPlace({ phase: 'opening' });
    const store = await openStore(log);
    stepBack();
    // Positions of the embedded log count facts; those of a server do not.
    const head = await store.head();
    const { amount, unit } = store.distance(START, head);
    await tell({ kind: 'head', head, facts: unit === 'facts' ? amount : undefined });
    return store;
  } catch (error) {
    const message = messageOf(error);
    const isOfLog = !('url' in log) && !(error instanceof CommitsNotHeld);
    await tell(
      isOfLog ? { kind: 'unopened', code: codeOf(error), error: message } : { kind: 'failed', error: message },
    );
    return undefined;
  }
}

/** What is wrong with their streams is found where these are verified. */
async function findKeysOfOthers(store: EventStore, { resume }: VerifyTask): Promise<PublicKey[]> {
  if (resume?.withoutKeys === true) return [];
  keepPlace({ phase: 'keys' });
  try {
    return await keysOfOthers(store);
  } catch {
    return [];
  }
}

/** The name of a system error; LMDB gives its number. */
function codeOf(error: unknown): string | undefined {
  const { code } = error as { readonly code?: unknown };
  if (typeof code === 'number') return code > 0 ? getSystemErrorName(-code) : undefined;
  return typeof code === 'string' ? code : undefined;
}

async function openStore(log: VerifyTask['log']): Promise<EventStore> {
  if ('url' in log) {
    const { openKurrentEventStore } = await import('#event-store/kurrentdb/kurrentdb-event-store');
    return openKurrentEventStore(log.url, { namespace: log.namespace, patienceMs: PATIENCE_MS });
  }
  const { openLmdbEventStore } = await import('#event-store/lmdb/lmdb-event-store');
  return openLmdbEventStore(log.directory, { readOnly: true });
}

/** Whoever is served by this machine goes first; but while the log is opened, their commits wait for this process. */
function stepBack(): void {
  // Linux has a priority for each thread, and signatures are checked in those that are there by now.
  const threads = process.platform === 'linux' ? readdirSync('/proc/self/task').map(Number) : [process.pid];
  for (const thread of threads) setPriority(thread, constants.priority.PRIORITY_BELOW_NORMAL);
}

function keepPlace(place: Place): void {
  writeSync(PLACE_DESCRIPTOR, encodePlace(place), 0);
}

function tell(message: VerifyMessage): Promise<void> {
  return new Promise((resolve) => {
    // A listener that has gone is seen by `disconnect`.
    process.send?.(message, undefined, undefined, () => resolve());
  });
}

/** Whose log it is, also where the configuration at hand does not say so. What is wrong with it will be found. */
async function findServer(store: EventStore): Promise<string | undefined> {
  try {
    return await serverOfLog(store);
  } catch {
    return undefined;
  }
}
