import { LogHistory } from '#event-store/log-history';
import { START, type Position } from '#kernel/position';
import type { Key, Row, ScanOptions } from '#read-models/read-model-store';
import { checksumGeneration, type CollectionChecksum } from './checksums.js';
import { listDeadLetters, type DeadLetter } from './dead-letters.js';
import { EffectRunner } from './effects/effect-runner.js';
import { Generations } from './generations.js';
import { LiveLoop } from './live-loop.js';
import { Meter } from './meter.js';
import type { Projection } from './projection.js';
import { checkpointWrite, NOTHING_STORED } from './projection-records.js';
import { shareReads } from './share-reads.js';
import { statusOf, type ProjectionStatus } from './projection-status.js';
import type { Projector } from './projector.js';
import { RebuildControl, type RebuildOptions } from './rebuild-control.js';
import { silentLog, type RuntimeParts } from './runtime-parts.js';
import type { Views } from './views.js';
import { forgetViews, readOwnedState } from './whose-views.js';

/**
 * Runs all projectors over the log: follows it live, fills new generations beside the serving ones, survives bad facts and
 * crashes, and answers what operators ask of it. Only one runtime writes to a store of read models.
 */
export class ProjectionRuntime implements Views {
  /** What follows from the facts, once the views have them. */
  readonly effects: EffectRunner;
  readonly #parts: RuntimeParts;
  readonly #live: LiveLoop;
  readonly #generations: Generations;
  readonly #control: RebuildControl;
  readonly #meter = new Meter();
  readonly #stopping = new AbortController();
  /** Which projection a logical collection belongs to. */
  readonly #owners = new Map<string, Projection>();
  #running: Promise<void> | undefined;
  #history = LogHistory.UNBROKEN;

  /** Throws where two projectors have one name or own one collection. */
  constructor(parts: RuntimeParts) {
    checkOwners(parts.projectors);
    this.#parts = parts;
    const log = parts.log ?? silentLog;
    this.#live = new LiveLoop(
      parts,
      log,
      (letter) => {
        const generation = this.#generations.projections.get(letter.projection)?.serving;
        if (generation?.generation === letter.generation) generation.deadLetters++;
        log.error(`${letter.projection}: skipped ${letter.type} at position ${letter.position}: ${letter.error}`);
      },
      (facts) => {
        this.#meter.add(facts.length);
        this.effects.hear(facts);
      },
    );
    const { store, readModels, clock, effects = [], effectLease: lease } = parts;
    const live = this.#live;
    const views = {
      get position(): Position {
        return live.position;
      },
      get areThere(): boolean {
        return readModels.failure === undefined;
      },
      whenProcessed: (position: Position) => live.whenProcessed(position),
    };
    this.effects = new EffectRunner({ store, clock, effects, log, live: views, lease });
    // All that are filled at one time, as after an update, read the log once.
    this.#generations = new Generations({ ...parts, store: shareReads(store) }, this.#live, log);
    this.#control = new RebuildControl(this.#generations, this.#live);
  }

  /**
   * Takes up where the last run ended and follows the log. What is there serves at once; settles when the serving
   * projections have passed the head of the log as it was at the call. Throws where the stores cannot be read, or where rows
   * of a version that today's queries cannot read could not be rebuilt.
   */
  async start(): Promise<void> {
    const { log = silentLog } = this.#parts;
    const head = await this.load();
    this.#generations.isFollowing = true;
    await this.effects.start();
    const due: Promise<void>[] = [this.#live.whenProcessed(head)];
    this.#running = this.#live.run(this.#stopping.signal, head);
    for (const projection of this.#generations.projections.values()) {
      this.#generations.resumeFilling(projection);
      const awaited = isReadable(projection) ? projection.serving : projection.next?.generation;
      const filling = awaited && projection.fillings.get(awaited);
      if (filling !== undefined) due.push(filling.done);
    }
    await Promise.all(due);
    for (const projection of this.#generations.projections.values()) checkReadable(projection);
    void this.#generations.dropLeftovers().catch((error: unknown) => log.error(`Leftovers stay: ${String(error)}`));
  }

  /**
   * Takes up where the last run ended and stands still: what operators ask for is kept, and done after the next `start`.
   * Answers the head of the log.
   */
  async load(): Promise<Position> {
    const { store, readModels, log = silentLog } = this.#parts;
    const head = await store.head();
    const { logId, history, foreign, putBackTo: _, ...stored } = await readOwnedState(store, readModels);
    this.#history = history;
    if (foreign !== undefined) {
      log.warn(`The views ${foreign}: they are rebuilt from the log`);
      await forgetViews(readModels);
    }
    const { checkpoint, records } = foreign === undefined ? stored : NOTHING_STORED;
    if (checkpoint === undefined) await readModels.write([checkpointWrite(logId, undefined, 0)]);
    const position = checkpoint?.position ?? START;
    const facts = checkpoint?.facts ?? 0;
    this.#live.begin(position, logId, facts);
    await this.#generations.load(records, position, facts);
    for (const projection of this.#generations.projections.values()) {
      for (const name of projection.projector.collections) this.#owners.set(name, projection);
    }
    return head;
  }

  /** Ends following, keeps what is done on disk. What waited for a position is rejected. */
  async stop(): Promise<void> {
    await this.effects.stop();
    this.#stopping.abort();
    await this.#generations.stop();
    await this.#running;
    await this.#parts.readModels.flush();
  }

  get history(): LogHistory {
    return this.#history;
  }

  async get(collection: string, key: Key): Promise<string | undefined> {
    const physical = this.#physicalName(collection);
    return physical === undefined ? undefined : this.#parts.readModels.get(physical, key);
  }

  async getMany(collection: string, keys: readonly Key[]): Promise<(string | undefined)[]> {
    const physical = this.#physicalName(collection);
    return physical === undefined ? keys.map(() => undefined) : this.#parts.readModels.getMany(physical, keys);
  }

  async scan(collection: string, options: ScanOptions): Promise<Row[]> {
    const physical = this.#physicalName(collection);
    return physical === undefined ? [] : this.#parts.readModels.scan(physical, options);
  }

  position(collections?: readonly string[]): Position {
    let position = this.#live.position;
    const covered = collections?.map((name) => this.#ownerOf(name)) ?? this.#generations.projections.values();
    for (const { serving } of covered) if (serving.at !== 'live' && serving.at < position) position = serving.at;
    return position;
  }

  whenProcessed(position: Position): Promise<void> {
    return this.#live.whenProcessedOrLate(position);
  }

  /** How every projection does, in the order of registration. */
  async list(): Promise<ProjectionStatus[]> {
    const head = await this.#parts.store.head();
    return [...this.#generations.projections.values()].map((each) => this.#statusOf(each, head));
  }

  /** How one projection does. Throws for a name that is none, as all that follows. */
  async status(name: string): Promise<ProjectionStatus> {
    return this.#statusOf(this.#control.get(name), await this.#parts.store.head());
  }

  /** Fills the next generation beside the serving one and switches to it, or goes on with one that was cancelled. */
  rebuild(name: string, options: RebuildOptions = {}): Promise<void> {
    return this.#control.rebuild(name, options);
  }

  /** Lets the generation serve that was rebuilt with `switchByHand`; where it is not filled yet, as soon as it is. */
  switch(name: string): Promise<void> {
    return this.#control.switch(name);
  }

  /** Lets the generation serve again that served before, once it has caught up. */
  rollback(name: string): Promise<void> {
    return this.#control.rollback(name);
  }

  /** Stops a projection where it is, also over restarts: its views go stale, and `position` waits for it. */
  pause(name: string, reason: string): Promise<void> {
    return this.#control.pause(name, { reason, at: this.#parts.clock.now() });
  }

  /** Goes on after a pause, and with a rebuild that stopped at a bad fact. */
  resume(name: string): Promise<void> {
    return this.#control.resume(name);
  }

  /** Stops a rebuild and keeps what it has done: `rebuild` goes on with it. */
  cancel(name: string): Promise<void> {
    return this.#control.cancel(name);
  }

  /** Limits each rebuild to so many facts per second from its next start on; undefined lifts the limit. */
  throttle(factsPerSecond: number | undefined): void {
    this.#generations.throttle = factsPerSecond;
  }

  /** The facts that the serving generations lack, of one projection or of all. A rebuild tries them again. */
  async deadLetters(name?: string): Promise<DeadLetter[]> {
    const projections = name === undefined ? [...this.#generations.projections.values()] : [this.#control.get(name)];
    const letters = projections.map((each) => listDeadLetters(this.#parts.readModels, each.serving));
    return (await Promise.all(letters)).flat();
  }

  /** The checksum of each serving collection of a projection, by logical name. Exact while nothing is appended. */
  checksum(name: string): Promise<Record<string, CollectionChecksum>> {
    return checksumGeneration(this.#parts.readModels, this.#control.get(name).serving);
  }

  #statusOf(projection: Projection, head: Position): ProjectionStatus {
    const { store: log } = this.#parts;
    const status = statusOf(projection, {
      log,
      head,
      position: this.#live.position,
      perSecond: this.#meter.perSecond(),
    });
    return status.lastError === undefined ? { ...status, lastError: this.#live.lastError } : status;
  }

  #ownerOf(collection: string): Projection {
    const owner = this.#owners.get(collection);
    if (owner === undefined) throw new Error(`No projector owns the collection ${collection}`);
    return owner;
  }

  /** Undefined where the serving rows are of a version that did not have this collection. */
  #physicalName(collection: string): string | undefined {
    return this.#ownerOf(collection).serving.physical.get(collection);
  }
}

/** Whether today's queries can read what serves. */
function isReadable({ projector, serving }: Projection): boolean {
  return serving.version === projector.version || serving.version >= (projector.readableSince ?? 0);
}

function checkReadable(projection: Projection): void {
  if (isReadable(projection) || projection.paused !== undefined) return;
  const { name, serving, projector, lastError = 'its rebuild was cancelled' } = projection;
  throw new Error(
    `${name}: version ${serving.version} is no longer readable, and version ${projector.version} is not filled: ${lastError}`,
  );
}

function checkOwners(projectors: readonly Projector[]): void {
  const names = new Set<string>();
  const owners = new Map<string, string>();
  for (const { name, collections } of projectors) {
    if (!/^[a-z][a-z0-9-]*$/.test(name))
      throw new Error(`"${name}" is no name for a projector: lower case, digits and -`);
    if (names.has(name)) throw new Error(`Two projectors are named ${name}`);
    names.add(name);
    for (const collection of collections) {
      const other = owners.get(collection);
      if (other !== undefined) throw new Error(`The collection ${collection} is owned by ${other} and by ${name}`);
      owners.set(collection, name);
    }
  }
}
