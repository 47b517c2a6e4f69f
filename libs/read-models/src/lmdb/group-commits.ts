import { whyNotCommitted } from '#event-store/lmdb/why-not-committed';
import type { Outage } from '#kernel/outage';
import { encodeKey, type KeyRange } from '../key-encoding.js';
import { pendingSource, type RowSource } from '../merge-scan.js';
import { PendingRows } from '../pending-rows.js';
import { ViewsUnavailable } from '../read-model-errors.js';
import type { Write } from '../read-model-store.js';
import { type Current, openCollection, type Rows } from './open-environment.js';
import type { WrittenKeys } from './written-keys.js';

/** The views are lost to those who read them, or to who writes them. */
export type Way = 'read' | 'write';

/** A single write reaches LMDB after at most this time, together with all that came meanwhile. */
const COMMIT_DELAY_MS = 50;
const RETRY_DELAY_MS = 1000;
/**
 * What one transaction takes at most, but for the last `write` call. PERF: handing over a row holds the event loop for about a
 * microsecond; smaller groups write the same pages more often.
 */
const COMMIT_ROWS = 6000;
const COMMIT_CHARACTERS = 8 * 1024 * 1024;

/**
 * The one writer of the views. PERF: `write` only puts rows into memory, where readers see them; LMDB gets them in groups, in its
 * own thread, at most some 50 ms later. So a single fact costs microseconds, a row that changes often is stored once per group,
 * and the disk is asked to sync some 20 times a second at most (measured by `bench/replay.ts`). A group is one transaction and
 * holds whole calls of `write`, so that what survives a crash is all that was written up to some call.
 */
export class GroupCommits {
  readonly #current: Current;
  readonly #outage: Outage<Way>;
  #pending = new PendingRows();
  /** The group that is on its way into LMDB, or that LMDB refused and that is tried again before any other. */
  #committing: PendingRows | undefined;
  /** Settles when the group under way is in LMDB or refused, and what had to be alone is done. Never rejects. */
  #underWay: Promise<void> | undefined;
  /** Who wants to know what reaches LMDB. */
  #noted: WrittenKeys | undefined;
  #failure: Error | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(current: Current, outage: Outage<Way>) {
    this.#current = current;
    this.#outage = outage;
  }

  /** Why LMDB does not take what is written, as long as that is so. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** The value that waits for a key: null where a delete waits, undefined where nothing does. */
  get(collection: string, key: string): string | null | undefined {
    const waiting = this.#pending.get(collection, key);
    return waiting === undefined ? this.#committing?.get(collection, key) : waiting;
  }

  /** What waits in a range of a collection, the newest source first. */
  sources(collection: string, range: KeyRange, reverse: boolean): RowSource[] {
    return [
      pendingSource(this.#pending.collections.get(collection), range, reverse),
      pendingSource(this.#committing?.collections.get(collection), range, reverse),
    ].filter((source) => source !== undefined);
  }

  /** The collections for which something waits. */
  names(): string[] {
    return [...this.#pending.collections.keys(), ...(this.#committing?.collections.keys() ?? [])];
  }

  /** As `ReadModelStore.write`. */
  async write(writes: readonly Write[]): Promise<void> {
    // What is too long is refused before anything is taken up.
    const keys = writes.map(({ key, encoded }) => encoded ?? encodeKey(key));
    await this.#makeRoom();
    const pending = this.#pending;
    // PERF: of a replay this is much of the work: no `entries()`, which makes an array for each.
    for (let i = 0; i < writes.length; i++) pending.set(writes[i]!.collection, keys[i]!, writes[i]!.value);
    if (this.#underWay === undefined && isLarge(pending)) this.#commit();
    else if (this.#timer === undefined) this.#commitLater(COMMIT_DELAY_MS);
  }

  /** As `ReadModelStore.drop`. */
  async drop(collection: string): Promise<void> {
    this.#pending.collections.delete(collection);
    await this.alone(async () => {
      const rows = this.#current.environment.collections.get(collection);
      this.#pending.collections.delete(collection);
      if (rows === undefined) return;
      await rows.clearAsync().catch(async (error: unknown) => {
        throw new ViewsUnavailable(`${collection} cannot be dropped: ${await reasonOf(error)}`, { cause: error });
      });
      this.#noted?.noteDropped(collection);
    });
  }

  /**
   * Runs something while nothing else reaches LMDB; what is written meanwhile waits in memory, where it is read. Throws what it throws,
   * and where LMDB refuses what was handed to it before.
   */
  async alone<T>(run: () => Promise<T>): Promise<T> {
    if (this.#underWay === undefined && this.#committing !== undefined) this.#commit();
    return this.aside(() => {
      if (this.#committing !== undefined) throw this.#failure!;
      return run();
    });
  }

  /** As `alone`, but what LMDB has refused waits as well. Then a group has its turn, before whoever wants to be alone next. */
  async aside<T>(run: () => Promise<T>): Promise<T> {
    const before = this.#underWay ?? Promise.resolve();
    const running = before.then(run);
    this.#occupy(running.then(ignore, ignore).then(() => (this.#closed ? undefined : this.#storeNext())));
    return running;
  }

  /** From now on, to be called while nothing else reaches LMDB, the keys that do are noted; nobody notes them where it is undefined. */
  noteIn(noted: WrittenKeys | undefined): void {
    this.#noted = noted;
  }

  /** Resolves when all that was written before the call is in LMDB, however much is written meanwhile. Throws when LMDB refuses it. */
  async settledSoFar(): Promise<void> {
    const isIn = (group: PendingRows | undefined): boolean =>
      group === undefined || (group !== this.#committing && (group !== this.#pending || group.rows === 0));
    for (const group of [this.#committing, this.#pending]) while (!isIn(group)) await this.#settle();
  }

  /** Resolves when all that was written is in LMDB. */
  async settled(): Promise<void> {
    while (this.#pending.rows > 0 || this.#committing !== undefined || this.#underWay !== undefined)
      await this.#settle();
  }

  /** Tries no more to write what LMDB refused. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Holds a writer back while LMDB is a whole group behind. Throws when LMDB refuses. */
  async #makeRoom(): Promise<void> {
    while (isLarge(this.#pending)) await this.#settle();
  }

  /** Waits for the group under way, or brings the next under way and waits for that. Throws when LMDB refuses it. */
  async #settle(): Promise<void> {
    if (this.#underWay === undefined) this.#commit();
    await this.#underWay;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #commitLater(delay: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#underWay === undefined) this.#commit();
      else void this.#underWay.then(() => this.#commitLater(0));
    }, delay);
  }

  #commit(): void {
    this.#occupy(this.#storeNext());
  }

  /** Hands LMDB what it has refused, or else what waits. Never rejects. */
  async #storeNext(): Promise<void> {
    if (this.#committing === undefined) {
      if (this.#pending.rows === 0) return;
      this.#committing = this.#pending;
      this.#pending = new PendingRows();
    }
    const group = this.#committing;
    await this.#store(group).then(
      () => {
        this.#failure = undefined;
        this.#committing = undefined;
        this.#outage.noteSuccess('write');
        this.#noted?.note(group);
      },
      (error: unknown) => {
        if (this.#timer === undefined && !this.#closed) this.#commitLater(RETRY_DELAY_MS);
        this.#failure = error as Error;
      },
    );
  }

  /** Nothing else reaches LMDB until this has settled; then whoever waits, or what has become a whole group meanwhile. */
  #occupy(work: Promise<void>): void {
    const own: Promise<void> = work.then(() => {
      if (this.#underWay !== own) return;
      this.#underWay = undefined;
      if (this.#failure === undefined && isLarge(this.#pending)) this.#commit();
    });
    this.#underWay = own;
  }

  /** Hands a group to LMDB's thread, as one transaction. */
  async #store(group: PendingRows): Promise<void> {
    try {
      const opened = this.#openAll([...group.collections.keys()]);
      await this.#current.environment.root.batch(() => {
        for (const [name, pending] of group.collections) {
          const rows = opened.get(name)!;
          for (const [key, value] of pending.values) {
            if (value === null) void rows.remove(key);
            else void rows.put(key, value);
          }
        }
      });
    } catch (error) {
      const reason = await reasonOf(error);
      this.#outage.noteLoss('write', `they cannot be written: ${reason}`);
      throw new ViewsUnavailable(`The views cannot be written: ${reason}`, { cause: error });
    }
  }

  #openAll(names: readonly string[]): Map<string, Rows> {
    const { root, collections } = this.#current.environment;
    const missing = names.filter((name) => !collections.has(name));
    if (missing.length > 0) {
      const made = new Map<string, Rows>();
      root.transactionSync(() => {
        for (const name of missing) made.set(name, openCollection(root, name));
      });
      for (const [name, rows] of made) collections.set(name, rows);
    }
    return collections;
  }
}

function isLarge(pending: PendingRows): boolean {
  return pending.rows >= COMMIT_ROWS || pending.characters >= COMMIT_CHARACTERS;
}

function ignore(): void {}

async function reasonOf(error: unknown): Promise<string> {
  return (((await whyNotCommitted(error)) ?? error) as Error).message;
}
