import { setTimeout as delay } from 'node:timers/promises';
import type { RecordedFact } from '#event-store/event-store';
import { LogHistory } from '#event-store/log-history';
import { findLogIdentity } from '#event-store/log-identity';
import type { Position } from '#kernel/position';
import { ViewsMisconfigured } from '#read-models/read-model-errors';
import type { Key, Row, ScanOptions } from '#read-models/read-model-store';
import { checkOwners } from './check-owners.js';
import { checksumGeneration, type CollectionChecksum } from './checksums.js';
import { listDeadLetters, type DeadLetter } from './dead-letters.js';
import { EffectRunner } from './effects/effect-runner.js';
import { FactFeeds, followAll } from './fact-feeds.js';
import { KeptViews } from './kept-views.js';
import { Meter } from './meter.js';
import { ProjectionReader } from './projection-reader.js';
import type { Projection } from './projection.js';
import { statusOf, type ProjectionStatus } from './projection-status.js';
import { ProjectionWriter } from './projection-writer.js';
import { ProjectionCommandRefused, type RebuildControl, type RebuildOptions } from './rebuild-control.js';
import { type ProjectionLog, silentLog, type RuntimeParts } from './runtime-parts.js';
import { ToldFailures } from './told-failures.js';
import { ViewsProgress } from './views-progress.js';
import type { Views } from './views.js';

const ANOTHER_WRITES = 'Another process writes the views: it takes such commands, and this one does not';
/** How often the lease is asked for that another process has. */
const LEASE_LOOK_MS = 500;
/** Views that another process writes are of another log for so long at most while it begins to make them anew. */
const FOREIGN_MS = 10_000;
const TAKEN = 'another server writes to this database of views, and each needs one of its own';

/**
 * The projections in this process. The one that has the lease of the views runs all projectors over the log: follows it live, fills new generations beside the serving
 * ones, survives bad facts and crashes. The others follow what that one has written, and one of them takes its place when it is gone. Whichever it is, it answers queries, and what operators ask.
 */
export class ProjectionRuntime implements Views {
  /** What follows from the facts, once the views have them. */
  readonly effects: EffectRunner;
  readonly #parts: RuntimeParts;
  readonly #log: ProjectionLog;
  readonly #progress: ViewsProgress;
  readonly #meter = new Meter();
  readonly #stopping = new AbortController();
  #writer: ProjectionWriter | undefined;
  #reader: ProjectionReader | undefined;
  readonly #feeds: FactFeeds;
  readonly #kept: KeptViews;
  #waitingForLease: Promise<void> | undefined;
  #throttle: number | undefined;
  #history = LogHistory.UNBROKEN;

  /** Throws where two projectors have one name or own one collection. */
  constructor(parts: RuntimeParts) {
    checkOwners(parts.projectors);
    const { store, clock, effects = [], effectLease: lease, log = silentLog, readModels, projectors } = parts;
    this.#parts = parts;
    this.#log = log;
    this.#progress = new ViewsProgress(projectors, readModels, log);
    const live = followAll(this.#progress, () => this.confirm());
    this.effects = new EffectRunner({ store, clock, effects, log, live, lease, takenBackBy: parts.takenBackBy });
    this.#feeds = new FactFeeds(parts, log, this.#progress, this.effects, this.#stopping.signal);
    this.#kept = new KeptViews(parts, this.#progress, this);
  }

  /**
   * Takes up where the last run ended and follows the log, or the process that does so. What is there serves at once; settles when the serving projections have passed the
   * head of the log as it was at the call. Throws ViewsMisconfigured where a server with another log writes them, and where the stores cannot be read, or where rows of a
   * version that today's queries cannot read could not be rebuilt.
   */
  async start(): Promise<void> {
    const head = await this.#parts.store.head();
    let foreignSince: number | undefined;
    while (!(await this.#parts.readModels.takeLease())) {
      this.#reader ??= await this.#makeReader();
      if (await this.#reader.begin()) return await this.#follow(this.#reader, head);
      foreignSince = this.#reader.isForeign ? (foreignSince ?? performance.now()) : undefined;
      if (foreignSince !== undefined && performance.now() - foreignSince > FOREIGN_MS)
        throw new ViewsMisconfigured(TAKEN);
      await this.#pause(LEASE_LOOK_MS);
      this.#stopping.signal.throwIfAborted();
    }
    this.#reader = undefined;
    await this.#write(head);
  }

  /**
   * Takes up where the last run ended and stands still: what operators ask for is kept, and done after the next `start`. Throws
   * ProjectionCommandRefused where another process writes.
   */
  async load(): Promise<void> {
    if (!(await this.#parts.readModels.takeLease())) throw new ProjectionCommandRefused(ANOTHER_WRITES);
    await this.#load();
  }

  /** Ends following, keeps what is done on disk. What waited for a position is rejected. */
  async stop(): Promise<void> {
    await this.effects.stop();
    this.#stopping.abort();
    await this.#reader?.end();
    await this.#waitingForLease;
    await this.#writer?.stop();
    this.#progress.end();
  }

  /** Who of those that follow the log cannot go on, and why, each in one line: stores that are away do not count. */
  failures(): readonly string[] {
    const own = (this.#writer ?? this.#reader)?.failure;
    return [...(own === undefined ? [] : [own]), ...this.#feeds.failures, ...this.effects.failures];
  }

  /** Whether this process writes the views. */
  get isWriter(): boolean {
    return this.#writer !== undefined;
  }

  get history(): LogHistory {
    return this.#history;
  }

  async get(collection: string, key: Key): Promise<string | undefined> {
    const physical = this.#progress.physicalName(collection);
    return physical === undefined ? undefined : this.#parts.readModels.get(physical, key);
  }

  async getMany(collection: string, keys: readonly Key[]): Promise<(string | undefined)[]> {
    const physical = this.#progress.physicalName(collection);
    return physical === undefined ? keys.map(() => undefined) : this.#parts.readModels.getMany(physical, keys);
  }

  async scan(collection: string, options: ScanOptions): Promise<Row[]> {
    const physical = this.#progress.physicalName(collection);
    return physical === undefined ? [] : this.#parts.readModels.scan(physical, options);
  }

  async confirm(): Promise<void> {
    await this.#parts.readModels.confirm();
    await this.#reader?.confirm();
  }

  position(collections?: readonly string[]): Position {
    return this.#progress.covered(collections);
  }

  whenProcessed(position: Position, collections?: readonly string[]): Promise<void> {
    return this.#progress.whenProcessedOrLate(position, collections);
  }

  whenKept(position: Position, collections: readonly string[]): Promise<void> {
    return this.#kept.whenKept(position, collections);
  }

  whenMoved(from: Position, collections: readonly string[]): Promise<Position> {
    return this.#progress.whenMoved(from, collections);
  }

  /** How every projection does, in the order of registration. */
  async list(): Promise<ProjectionStatus[]> {
    const head = await this.#parts.store.head();
    return [...this.#progress.projections.values()].map((each) => this.#statusOf(each, head));
  }

  /** How one projection does. Throws for a name that is none, as all that follows. */
  async status(name: string): Promise<ProjectionStatus> {
    return this.#statusOf(this.#get(name), await this.#parts.store.head());
  }

  /** Fills the next generation beside the serving one and switches to it, or goes on with one that was cancelled. */
  async rebuild(name: string, options: RebuildOptions = {}): Promise<void> {
    return this.#control.rebuild(name, options);
  }

  /** Lets the generation serve that was rebuilt with `switchByHand`; where it is not filled yet, as soon as it is. */
  async switch(name: string): Promise<void> {
    return this.#control.switch(name);
  }

  /** Lets the generation serve again that served before, once it has caught up. */
  async rollback(name: string): Promise<void> {
    return this.#control.rollback(name);
  }

  /** Stops a projection where it is, also over restarts: its views go stale, and `position` waits for it. */
  async pause(name: string, reason: string): Promise<void> {
    return this.#control.pause(name, { reason, at: this.#parts.clock.now() });
  }

  /** Goes on after a pause, and with a rebuild that stopped at a bad fact. */
  async resume(name: string): Promise<void> {
    return this.#control.resume(name);
  }

  /** Stops a rebuild and keeps what it has done: `rebuild` goes on with it. */
  async cancel(name: string): Promise<void> {
    return this.#control.cancel(name);
  }

  /** Lets go of generations that do not serve, and stand before a position: they have what was erased since. */
  async forgetBehind(position: Position): Promise<void> {
    return this.#control.forgetBehind(position);
  }

  /** Limits each rebuild to so many facts per second from its next start on; undefined lifts the limit. */
  throttle(factsPerSecond: number | undefined): void {
    this.#throttle = factsPerSecond;
    if (this.#writer !== undefined) this.#writer.throttle = factsPerSecond;
  }

  /** The facts that the serving generations lack, of one projection or of all. A rebuild tries them again. */
  async deadLetters(name?: string): Promise<DeadLetter[]> {
    const projections = name === undefined ? [...this.#progress.projections.values()] : [this.#get(name)];
    return (await Promise.all(projections.map((each) => listDeadLetters(this.#parts.readModels, each.serving)))).flat();
  }

  /** The checksum of each serving collection of a projection, by logical name. Exact while nothing is appended. */
  checksum(name: string): Promise<Record<string, CollectionChecksum>> {
    return checksumGeneration(this.#parts.readModels, this.#get(name).serving);
  }

  async #makeReader(): Promise<ProjectionReader> {
    const identity = await findLogIdentity(this.#parts.store);
    if (identity !== undefined) this.#history = new LogHistory(identity.restored);
    return new ProjectionReader(this.#parts, this.#progress, identity?.logId ?? null, (facts) => this.#heard(facts));
  }

  async #follow(reader: ProjectionReader, head: Position): Promise<void> {
    this.#log.info('Another process writes the views: this one follows it, and takes its place when it is gone');
    await this.effects.start();
    this.#feeds.begin(head);
    reader.run();
    this.#waitingForLease = this.#takeOver(reader);
    await this.#progress.untilAllPassed(head);
  }

  /** Waits for the lease, and goes on as the one that writes. */
  async #takeOver(reader: ProjectionReader): Promise<void> {
    const { signal } = this.#stopping;
    const failures = new ToldFailures(this.#log, 'Who takes the views over');
    while (!signal.aborted) {
      try {
        await this.#pause(LEASE_LOOK_MS);
        if (signal.aborted || !(await this.#parts.readModels.takeLease())) continue;
        await reader.leave();
        if (signal.aborted) return;
        const position = this.#progress.position;
        await this.#load();
        this.#reader = undefined;
        // The one before may have written more than this one could hear of.
        this.#feeds.look();
        this.#log.info('This process writes the views from now on: the one before is gone');
        void this.#writer?.start(position).catch((error: unknown) => {
          if (!signal.aborted) this.#log.error(`The projections cannot go on: ${String(error)}`);
        });
        return;
      } catch (error) {
        await this.#pause(failures.note(error));
      }
    }
  }

  async #write(head: Position): Promise<void> {
    await this.#load();
    await this.effects.start();
    this.#feeds.begin(head);
    await this.#writer?.start(head);
  }

  async #load(): Promise<void> {
    const writer = new ProjectionWriter(this.#parts, this.#log, this.#progress, (facts) => this.#heard(facts));
    writer.throttle = this.#throttle;
    this.#history = await writer.load();
    this.#writer = writer;
  }

  #heard(facts: readonly RecordedFact[]): void {
    this.#meter.add(facts.length);
    this.#feeds.offer(facts);
  }

  /** What operators do to the projections. Throws where that is for another process. */
  get #control(): RebuildControl {
    if (this.#writer === undefined) throw new ProjectionCommandRefused(ANOTHER_WRITES);
    return this.#writer.control;
  }

  #get(name: string): Projection {
    const projection = this.#progress.projections.get(name);
    if (projection === undefined) throw new ProjectionCommandRefused(`There is no projection ${name}`);
    return projection;
  }

  #statusOf(projection: Projection, head: Position): ProjectionStatus {
    const [log, { position }] = [this.#parts.store, this.#progress];
    const status = statusOf(projection, { log, head, position, perSecond: this.#meter.perSecond() });
    return { ...status, lastError: status.lastError ?? (this.#writer ?? this.#reader)?.lastError };
  }

  #pause(milliseconds: number): Promise<void> {
    return delay(milliseconds, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}
