import { setTimeout as delay } from 'node:timers/promises';
import type { RecordedFact } from '#event-store/event-store';
import { LogHistory } from '#event-store/log-history';
import { findLogIdentity } from '#event-store/log-identity';
import type { Position } from '#kernel/position';
import { ViewsMisconfigured } from '#read-models/read-model-errors';
import type { Key, Row, ScanOptions } from '#read-models/read-model-store';
import { checkOwners } from './check-owners.js';
import { EffectRunner } from './effects/effect-runner.js';
import { FactFeeds, followAll } from './fact-feeds.js';
import { KeptViews } from './kept-views.js';
import { Meter } from './meter.js';
import { ANOTHER_WRITES, ProjectionOperations } from './projection-operations.js';
import { ProjectionReader } from './projection-reader.js';
import { ProjectionWriter } from './projection-writer.js';
import { ProjectionCommandRefused } from './rebuild-control.js';
import { type ProjectionLog, silentLog, type RuntimeParts } from './runtime-parts.js';
import { ToldFailures } from './told-failures.js';
import { ViewsProgress } from './views-progress.js';
import type { Views } from './views.js';

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
  /** What operators ask of the projections, and do to them. */
  readonly operations: ProjectionOperations;
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
    this.operations = new ProjectionOperations(parts, this.#progress, this.#meter, () => this.#mover?.lastError);
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
    const own = this.#mover?.failure;
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
    this.#history = await writer.load();
    this.#writer = writer;
    this.operations.take(writer);
  }

  #heard(facts: readonly RecordedFact[]): void {
    this.#meter.add(facts.length);
    this.#feeds.offer(facts);
  }

  /** Who moves the views that this process reads. */
  get #mover(): ProjectionWriter | ProjectionReader | undefined {
    return this.#writer ?? this.#reader;
  }

  #pause(milliseconds: number): Promise<void> {
    return delay(milliseconds, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}
