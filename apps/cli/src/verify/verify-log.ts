import type { EventStore } from '#event-store/event-store';
import { type Position, START } from '#kernel/position';
import type { KeyRing } from '#rooms/audit/verify-room';
import { ROOM_STREAM_PREFIX } from '#rooms/facts/room-facts';
import { messageOf } from '#kernel/message-of';
import type { LogFinding, Place, Report } from './finding.js';
import { isIn, type Part } from './part.js';
import { verifyInOrder } from './verify-in-order.js';
import { findLostFacts, verifyOrder } from './verify-order.js';
import { verifyStream } from './verify-stream.js';

/** Where to take up a verification that killed its reader. */
export interface Resume {
  /** The stream to begin with. */
  readonly stream?: string;
  /** Whether that stream is read fact by fact, or left out: it has killed a careful reader too. */
  readonly how?: 'carefully' | 'leave-out';
  /** The streams are done: only the global order is left. */
  readonly orderOnly?: boolean;
  /** The keys of other servers have killed the reader: their signatures are not checked. */
  readonly withoutKeys?: boolean;
}

export interface VerifyLogOptions {
  readonly store: EventStore;
  readonly keys: KeyRing;
  readonly report: Report;
  readonly onPlace?: (place: Place) => void;
  /** Told after each fact of the first walk, and of the second. */
  readonly onFact?: () => void;
  /** See VerifyStreamOptions. */
  readonly onUnverifiable?: (server: string) => void;
  /** Told when a stream is done, and once more when there are no others: what was reported before is final. */
  readonly onStream?: (stream: string | undefined) => void;
  readonly resume?: Resume;
  /** Default: all streams; several processes verify a log together. The global order belongs to the first part; whoever shares out compares the numbers. */
  readonly part?: Part;
  /** Where the verification ends; default: the end of the log at the call. */
  readonly head?: Position;
  /**
   * Whether the log is a file of our own: then an error in reading says that it is damaged, and reading goes on behind it.
   * Else it is thrown: a server that does not answer is no finding.
   */
  readonly isEmbedded: boolean;
}

export interface VerifiedLog {
  readonly head: Position;
  readonly streams: number;
  readonly rooms: number;
  /** Facts in the streams verified, up to the head. */
  readonly facts: number;
  /** Facts in the global order; undefined where it was not walked to its end. */
  readonly ordered?: number;
  /** Whether nothing was left out that has to be counted. */
  readonly isComplete: boolean;
}

/**
 * Checks the whole log as it stands at the call: every stream by itself, then the global order, then that both hold the same
 * number of facts; the log of a server in one go (`verifyInOrder`). Only what was appended before is looked at, so a log may
 * grow meanwhile. Reports what it finds, and throws only where the log is not embedded.
 */
export async function verifyLog(options: VerifyLogOptions): Promise<VerifiedLog> {
  const {
    store,
    report,
    resume,
    part,
    keys,
    isEmbedded,
    onPlace = () => {},
    onFact = () => {},
    onUnverifiable,
    onStream = () => {},
  } = options;
  const head = options.head ?? (await store.head());
  if (!isEmbedded) {
    const { facts, ...rest } = await verifyInOrder({ store, head, keys, report, onFact, onUnverifiable, onPlace });
    onStream(undefined);
    return { head, ...rest, facts, ordered: facts, isComplete: true };
  }
  const tally = { streams: 0, rooms: 0, facts: 0 };
  // After a resumption nobody has counted all of them; then something has been found already.
  let isComplete = resume === undefined;
  const countFact = (): void => {
    tally.facts++;
    onFact();
  };
  const shared = { store, head, keys, report, onUnverifiable, onPlace, isEmbedded };
  if (resume?.orderOnly !== true) {
    isComplete = (await verifyStreams(options, { ...shared, onFact: countFact }, tally)) && isComplete;
  }
  const hasOrder = part === undefined || part.index === 0;
  const ordered = hasOrder ? await verifyOrder({ ...shared, onFact, careful: resume?.orderOnly }) : undefined;
  if (hasOrder && ordered === undefined) isComplete = false;
  const verified = { head, ...tally, ordered, isComplete };
  if (part === undefined) await compareCounts(verified, { ...shared, onFact: () => {} });
  return verified;
}

/**
 * Reports where the streams and the global order do not hold the same number of facts, and which are missing. A server that goes on lets go of
 * the beginnings of streams, maybe between the one count and the other: where none is missing both are counted once more.
 */
export async function compareCounts(
  { facts, ordered, isComplete }: Pick<VerifiedLog, 'facts' | 'ordered' | 'isComplete'>,
  options: Parameters<typeof findLostFacts>[0],
): Promise<void> {
  if (!isComplete || ordered === undefined || ordered === facts) return;
  const lost: LogFinding[] = [];
  await findLostFacts({ ...options, report: (finding) => lost.push(finding) });
  const silent = { ...options, report: () => {} };
  if (lost.length === 0 && (await verifyOrder(silent)) === (await countInStreams(options))) return;
  options.report({ problem: `the streams hold ${facts} facts, the global order holds ${ordered}` });
  for (const finding of lost) options.report(finding);
}

/** How many facts the streams hold up to a position; undefined where they cannot be read. */
async function countInStreams({
  store,
  head,
}: Pick<Parameters<typeof findLostFacts>[0], 'store' | 'head'>): Promise<number | undefined> {
  let facts = 0;
  try {
    for await (const stream of store.streams())
      for await (const { position } of store.readStream(stream)) facts += Number(position <= head);
    return facts;
  } catch {
    return undefined;
  }
}

type Shared = Parameters<typeof verifyStream>[1];

/** Answers whether all streams could be listed. */
async function verifyStreams(
  { store, report, resume, part, isEmbedded, onPlace = () => {}, onStream = () => {} }: VerifyLogOptions,
  shared: Shared,
  tally: { streams: number; rooms: number },
): Promise<boolean> {
  const most = store.distance(START, shared.head).amount;
  let isReached = resume?.stream === undefined;
  let last: string | undefined;
  const cycle = new CycleCheck();
  try {
    onPlace({ phase: 'listing' });
    for await (const stream of store.streams()) {
      if (cycle.hasSeen(stream) || tally.streams > most) throw new Error(`${stream} comes again`);
      last = stream;
      if (!isIn(part, stream)) continue;
      let careful = false;
      if (!isReached) {
        if (stream !== resume?.stream) continue;
        isReached = true;
        if (resume.how === 'leave-out') continue;
        careful = resume.how === 'carefully';
      }
      await verifyStream(stream, { ...shared, careful });
      tally.streams++;
      if (stream.startsWith(ROOM_STREAM_PREFIX)) tally.rooms++;
      onStream(stream);
      onPlace({ phase: 'listing', after: stream });
    }
    return true;
  } catch (error) {
    if (!isEmbedded) throw error;
    report({ problem: `the streams cannot be listed behind ${last ?? 'the beginning'}: ${messageOf(error)}` });
    return false;
  } finally {
    onStream(undefined);
  }
}

/**
 * Finds out whether names repeat without keeping them (Brent's way): a damaged index can lead a reader in a circle, where
 * each name follows from the one before.
 */
class CycleCheck {
  #kept: string | undefined;
  #steps = 0;
  #power = 1;

  hasSeen(name: string): boolean {
    if (name === this.#kept) return true;
    if (++this.#steps === this.#power) {
      this.#kept = name;
      this.#power *= 2;
      this.#steps = 0;
    }
    return false;
  }
}
