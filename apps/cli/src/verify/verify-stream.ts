import type { EventStore, RecordedFact } from '#event-store/event-store';
import { inTodaysShape, UnknownSchema } from '#event-store/fact-shapes';
import { verifyChain } from '#event-store/seal-facts';
import { SERVER_STREAM } from '#event-store/log-identity';
import { parsePosition, type Position, START } from '#kernel/position';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { type Finding, type KeyRing, RoomVerifier } from '#rooms/audit/verify-room';
import { type ROOM_SHAPES, ROOM_STREAM_PREFIX, roomIdOfStream } from '#rooms/facts/room-facts';
import { messageOf } from '#kernel/message-of';
import type { ChecksAside } from './checks-aside.js';
import type { Place, Report } from './finding.js';
import { SERVER_KEYS_PREFIX } from '#federation/facts/server-key-facts';
import { findKeysProblem } from './keys-of-others.js';
import { findIdentityProblem } from './verify-identity.js';

export interface VerifyStreamOptions {
  readonly store: EventStore;
  /** The end of the log when the verification began: what was appended since is left for the next one. */
  readonly head: Position;
  readonly keys: KeyRing;
  readonly report: Report;
  readonly onFact: () => void;
  /** Told of each event that its server signed only with keys that are not known: no signature of it is checked. */
  readonly onUnverifiable?: (server: string) => void;
  readonly onPlace: (place: Place) => void;
  /** See VerifyLogOptions. */
  readonly isEmbedded: boolean;
  /** Reads fact by fact, telling the place of each: slower, but names the fact that cannot be read. */
  readonly careful?: boolean;
}

const PURGED: keyof typeof ROOM_SHAPES = 'room-purged';

/** After so many facts in a row that cannot be read, the rest of a stream is given up. */
const MOST_UNREADABLE = 1000;
/** Facts read one by one after one that could not be read. */
const CAREFUL_FACTS = 200;

/** A fact that does not come where it should: it is looked at by itself. */
class OutOfPlace extends Error {}

/**
 * Checks one stream, holding no more of it than a room's current state: its revisions count from 0 without a gap, each fact's
 * chain follows from the one before, its data is JSON; of rooms also all that RoomVerifier checks.
 */
export async function verifyStream(stream: string, options: VerifyStreamOptions): Promise<void> {
  const { store, report, onPlace } = options;
  const check = new StreamCheck(stream, options);
  let carefully = options.careful === true ? Infinity : 0;
  let unreadable = 0;
  for (;;) {
    const from = check.next;
    const isCareful = carefully > 0;
    onPlace({ phase: 'stream', stream, revision: from });
    try {
      let read = 0;
      for await (const fact of store.readStream(stream, isCareful ? { from, limit: 1 } : { from })) {
        read++;
        if ((await check.pass(fact, isCareful)) === 'behind-head') return;
      }
      if (!isCareful || read === 0) return check.end();
      carefully--;
      unreadable = 0;
    } catch (error) {
      if (!options.isEmbedded && !(error instanceof OutOfPlace)) throw error;
      // The first time the batch is read again one by one, to find out which fact it is.
      if (isCareful) {
        report({ stream, revision: from, problem: `cannot be read: ${messageOf(error)}` });
        check.skip();
        if (++unreadable >= MOST_UNREADABLE)
          return report({ stream, problem: `cannot be read behind revision ${from}` });
      }
      carefully = Math.max(carefully, CAREFUL_FACTS);
    }
  }
}

export interface StreamCheckOptions extends Pick<
  VerifyStreamOptions,
  'store' | 'head' | 'keys' | 'report' | 'onFact' | 'onUnverifiable'
> {
  /** Takes the signatures; what is found of them is reported later. Without it each is waited for. */
  readonly aside?: ChecksAside;
}

/** Checks the facts of one stream as they are passed to it, in their order. */
export class StreamCheck {
  /** The revision to read next. */
  next = 0;
  /** What revision the next fact may say it is: one, but for those behind one that said something else. */
  #expected: readonly number[] = [0];
  #position: Position = START;
  /** Undefined before the first fact, null where the fact before cannot be read. */
  #chain: string | undefined | null;
  #lastId: string | undefined;
  #jump = 1;
  #isAgain = false;
  /** The first facts of a room are not there: one has to come that says why. */
  #isPurgeDue = false;
  readonly #room: RoomVerifier | undefined;

  constructor(
    private readonly stream: string,
    private readonly options: StreamCheckOptions,
  ) {
    if (!stream.startsWith(ROOM_STREAM_PREFIX)) return;
    const { keys, aside, report, onUnverifiable } = options;
    const tell = (finding: Finding | undefined): void => finding && report({ stream, ...finding });
    const setAside = aside && ((found: Promise<Finding | undefined>): void => aside.add(found.then(tell)));
    this.#room = new RoomVerifier(roomIdOfStream(stream), keys, setAside, onUnverifiable);
  }

  /** Roughly how much is held of it, in events. */
  get held(): number {
    return 1 + (this.#room?.held ?? 0);
  }

  /** Passes a fact that was checked before: what comes behind it needs it. Nothing is told of it again. */
  async passAgain(fact: RecordedFact): Promise<void> {
    this.#isAgain = true;
    await this.pass(fact, true);
    this.#isAgain = false;
  }

  /**
   * Checks the next fact; `behind-head` for one that was appended after the verification began. Throws OutOfPlace, where it
   * was not read by itself, for one that is not where it says it is.
   */
  async pass(fact: RecordedFact, isCareful: boolean): Promise<'checked' | 'behind-head'> {
    if (isCareful && this.#isSameAgain(fact)) return 'checked';
    if (this.next === 0 || (await this.#isBeginning(fact))) this.#beginAt(fact);
    const at = this.next;
    const misplaced = await this.#findMisplacement(fact);
    if (misplaced === 'behind-head') return misplaced;
    if (!isCareful && misplaced.length > 0) throw new OutOfPlace(misplaced[0]);
    for (const problem of misplaced) this.#say(at, problem);
    this.next++;
    this.#expected = misplaced.length === 0 ? [this.next] : [this.next, fact.revision + 1];
    if (parsePosition(fact.position) !== undefined) this.#position = fact.position;
    this.#checkChain(fact, at);
    this.#checkContent(fact, at);
    this.#lastId = fact.id;
    if (!this.#isAgain) this.options.onFact();
    const { aside } = this.options;
    if (aside?.isFull === true) await aside.room();
    return 'checked';
  }

  /** The fact at `next` cannot be read. */
  skip(): void {
    this.next++;
    this.#expected = [this.next];
    this.#chain = null;
    this.#room?.skip();
    this.options.onFact();
  }

  /** The stream has ended. */
  end(): void {
    if (this.next === 0) this.options.report({ stream: this.stream, problem: 'is named, but holds no facts' });
    if (this.#isPurgeDue)
      this.options.report({ stream: this.stream, problem: 'its first facts are not there, and it was not purged' });
    for (const { revision, problem } of this.#room?.end() ?? []) this.#say(revision, problem);
  }

  /**
   * The first facts of a stream may have been taken away by whoever had no use for them any more. None of the log itself ever are, and of a
   * room none but what stood before it was purged: what is left of that tells nothing of the room.
   */
  #beginAt({ revision, type }: RecordedFact): void {
    if (revision === 0 || this.stream === SERVER_STREAM) return;
    if (this.#room !== undefined && type !== PURGED) {
      this.#room.skip();
      this.#isPurgeDue = true;
    }
    this.next = revision;
    this.#expected = [revision];
    this.#chain = null;
  }

  /** Whether a stream begins with a fact by now, what should have come before it having been taken away since the last one was read. */
  async #isBeginning({ revision }: RecordedFact): Promise<boolean> {
    if (revision <= Math.max(...this.#expected)) return false;
    for await (const first of this.options.store.readStream(this.stream, { limit: 1 }))
      return first.revision === revision;
    return false;
  }

  /** Whether there is a gap, so that one revision later the same fact is read: then the steps over it get longer. */
  #isSameAgain(fact: RecordedFact): boolean {
    const isSame = fact.id === this.#lastId && fact.position === this.#position;
    if (isSame) this.next += this.#jump;
    this.#jump = isSame ? this.#jump * 2 : 1;
    return isSame;
  }

  async #findMisplacement({ stream, revision, position }: RecordedFact): Promise<'behind-head' | string[]> {
    const { head, store } = this.options;
    const problems: string[] = [];
    if (parsePosition(position) !== undefined && position > head) {
      if (position <= (await store.head())) return 'behind-head';
      problems.push(`it says that it stands at position ${position}, behind the end of the log`);
    } else if (parsePosition(position) === undefined || position <= this.#position) {
      problems.push(`it says that it stands at position ${position}, not behind ${this.#position} of the fact before`);
    }
    if (stream !== this.stream) problems.push(`it says that it belongs to ${stream}`);
    if (!this.#expected.includes(revision)) problems.push(`it says that it is revision ${revision}`);
    return problems;
  }

  #checkChain(fact: RecordedFact, at: number): void {
    const before = this.#chain;
    try {
      if (before !== null && !verifyChain(before, fact)) {
        this.#say(at, 'the chain does not hold: this fact is not what was written, or the one before it is not');
      }
      this.#chain = fact.metadata.chain;
    } catch (error) {
      this.#say(at, `the metadata are malformed: ${messageOf(error)}`);
      this.#chain = null;
    }
  }

  #checkContent(fact: RecordedFact, at: number): void {
    let today = fact;
    try {
      today = inTodaysShape(fact, FACT_SHAPES);
      JSON.parse(today.data);
    } catch (error) {
      this.#say(at, error instanceof UnknownSchema ? error.message : `its data is not JSON: ${messageOf(error)}`);
      this.#room?.skip();
      return;
    }
    if (this.stream === SERVER_STREAM) {
      const problem = findIdentityProblem(fact, at);
      if (problem !== undefined) this.#say(at, problem);
    }
    if (this.stream.startsWith(SERVER_KEYS_PREFIX)) {
      const problem = findKeysProblem(today);
      if (problem !== undefined) this.#say(at, problem);
    }
    if (fact.type === PURGED) this.#isPurgeDue = false;
    if (this.#room === undefined) return;
    // What did not follow is told of the fact before.
    for (const { revision, problem } of this.#room.check(today, this.#isAgain))
      this.#say(at + revision - today.revision, problem);
  }

  #say(revision: number, problem: string): void {
    if (this.#isAgain) return;
    this.options.report({ stream: this.stream, revision, problem });
  }
}
