import { START, type Position } from '#kernel/position';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import type { ReadModelStore } from '#read-models/read-model-store';
import { Conditions } from './conditions.js';
import type { Generation } from './generation.js';
import type { Projection } from './projection.js';
import type { Projector } from './projector.js';
import type { ProjectionLog } from './runtime-parts.js';
import { Waiters } from './waiters.js';

/**
 * For how long a request waits for the views. What it wrote is in the log by then, and an error would have the client write it
 * again: it is answered, and the views follow. A subscription that has fallen silent is found out and made anew sooner.
 */
const VIEWS_WAIT_MS = 6000;
const SWEEP_MS = 1000;

/** Where the projections stand, whoever moves them: this process, or another one that it follows. And who waits for them. */
export class ViewsProgress {
  /** Those that do not give up. */
  readonly #patient = new Waiters();
  /** Those that do not wait for views that cannot be written, or that hear nothing. */
  readonly #impatient = new Waiters();
  /** As those two, but for more, or less, than all that move together. */
  readonly #conditions = new Conditions();
  readonly #particular = new Conditions();
  /** Which projection a logical collection belongs to. */
  readonly #owners: ReadonlyMap<string, string>;
  #projections: ReadonlyMap<string, Projection> | undefined;
  #position: Position = START;
  /** How far each has come that serves, by the name of its projection. */
  readonly #cameTo = new Map<string, Position>();
  /** Those that are behind that, for the views were thrown away since: rows that are not there again look like rows that never were. */
  readonly #lacking = new Set<string>();
  /** PERF: one timer for all that wait, and none while nobody does. */
  #sweep: NodeJS.Timeout | undefined;
  #isLate = false;
  /** Who stands still while nothing is read without them, as it was told. */
  #told = '';

  constructor(
    projectors: readonly Projector[],
    private readonly readModels: Pick<ReadModelStore, 'failure'>,
    private readonly log: ProjectionLog,
  ) {
    this.#owners = new Map(projectors.flatMap(({ name, collections }) => collections.map((each) => [each, name])));
  }

  /** Says where everything stands. `projections`: undefined while the views are not to be read. */
  take(projections: ReadonlyMap<string, Projection> | undefined, position = this.#position): void {
    this.#projections = projections;
    this.#position = position;
    this.#compare();
    this.settle();
  }

  /** All projections, in the order of registration. Throws ViewsUnavailable while there are none to read. */
  get projections(): ReadonlyMap<string, Projection> {
    const { readable } = this;
    if (readable === undefined) throw new ViewsUnavailable('the views are not there yet, or made anew');
    return readable;
  }

  /** All projections; undefined while there are none to read. */
  get readable(): ReadonlyMap<string, Projection> | undefined {
    // PERF: asked at each read, and nearly always there is nothing to compare.
    if (this.#lacking.size > 0) this.#compare();
    return this.#lacking.size > 0 ? undefined : this.#projections;
  }

  /** Notes how far each has come, and which of them had come further. */
  #compare(): void {
    for (const [name, { serving }] of this.#projections ?? []) {
      // What goes by itself may be ahead of what another process writes and this one has told of, and moves with that later.
      const own = this.positionOf(serving);
      const at = own < this.#position ? own : this.#position;
      if (at < (this.#cameTo.get(name) ?? at)) this.#lacking.add(name);
      else {
        this.#cameTo.set(name, at);
        this.#lacking.delete(name);
      }
    }
    this.#tellWhoStandsStill();
  }

  /** Nothing else would say why nothing is read, nor would it end by itself. */
  #tellWhoStandsStill(): void {
    const names = [...this.#lacking].filter((name) => this.#projections?.get(name)?.isMoving === false).join(', ');
    if (names === this.#told) return;
    this.#told = names;
    if (names === '') this.log.info('The views are not held up any more by what is paused');
    else this.log.warn(`The views were thrown away, and nothing is read before ${names} goes on, which is paused`);
  }

  /** The shared checkpoint: the last position that all have passed that move together. */
  get position(): Position {
    return this.#position;
  }

  /** The projection that a collection belongs to. Throws for one that is nobody's. */
  ownerOf(collection: string): Projection {
    const owner = this.#owners.get(collection);
    const projection = owner === undefined ? undefined : this.projections.get(owner);
    if (projection === undefined) throw new Error(`No projector owns the collection ${collection}`);
    return projection;
  }

  /** Where the rows of a collection are that serve; undefined where they are of a version that did not have it. Throws as `ownerOf`. */
  physicalName(collection: string): string | undefined {
    return this.ownerOf(collection).serving.physical.get(collection);
  }

  /** Whether the views can be read and written. */
  get areThere(): boolean {
    return this.readModels.failure === undefined;
  }

  positionOf({ at }: Generation): Position {
    return at === 'live' ? this.#position : at;
  }

  /** What the serving generations of these collections have passed, or all. */
  covered(collections?: readonly string[]): Position {
    let position = this.#position;
    const covered = collections?.map((name) => this.ownerOf(name)) ?? this.projections.values();
    for (const { serving } of covered) if (serving.at !== 'live' && serving.at < position) position = serving.at;
    return position;
  }

  /** As `covered`, but without those that stand still: whoever waits for what comes does not wait for these. */
  passed(collections?: readonly string[]): Position {
    let position = this.#position;
    const covered = collections?.map((name) => this.ownerOf(name)) ?? this.projections.values();
    for (const { serving, isMoving } of covered) {
      if (serving.at !== 'live' && isMoving && serving.at < position) position = serving.at;
    }
    return position;
  }

  /** Whether those that move have passed a position, as `passed`; they have not while there are none to read. */
  havePassed(position: Position, collections?: readonly string[]): boolean {
    return this.readable !== undefined && this.passed(collections) >= position;
  }

  /**
   * Those that move together have passed this position. Whoever waits hears of it by `settle`. Where they begin anew behind the last
   * one, nothing is read until all are there again, also those that are slower.
   */
  moveTo(position: Position): void {
    this.#position = position;
    this.#compare();
    this.#isLate = false;
  }

  /** Tells those who wait, when something has moved. */
  settle(): void {
    this.#patient.pass(this.#position);
    this.#impatient.pass(this.#position);
    if (this.readable === undefined) return;
    this.#conditions.check();
    this.#particular.check();
  }

  /** Settles when a condition is met, which is looked at when something has moved. */
  until(isMet: () => boolean): Promise<void> {
    return this.#conditions.wait(isMet);
  }

  /** Settles when `covered` is further than a position, with what it is. */
  async whenMoved(from: Position, collections: readonly string[]): Promise<Position> {
    let at = from;
    const isFurther = (): boolean => {
      if (this.readable !== undefined) at = this.covered(collections);
      return at > from;
    };
    await this.#conditions.wait(isFurther);
    return at;
  }

  /**
   * Settles when all generations of these collections have passed the position that serve, or are being filled, with what all of them have passed: what is paused is waited
   * for. Not what goes on by a command alone, which may never come: it is filled anew then (`Projector.isForgotten`).
   */
  async untilAllHave(position: Position, collections: readonly string[]): Promise<Position> {
    let had = START;
    await this.#conditions.wait(() => {
      if (this.readable === undefined) return false;
      const places = collections.flatMap((name) => this.#goOn(name)).map((each) => this.positionOf(each));
      had = places.reduce((least, place) => (place < least ? place : least));
      return had >= position;
    });
    return had;
  }

  /** The generations of a collection that go on without a command. */
  #goOn(collection: string): Generation[] {
    const { serving, next } = this.ownerOf(collection);
    const isFilled = next !== undefined && next.state !== 'cancelled' && next.state !== 'failed';
    return isFilled ? [serving, next.generation] : [serving];
  }

  /** Settles when all that move have passed the position, together or by themselves. */
  async untilAllPassed(position: Position): Promise<void> {
    await this.#conditions.wait(() => this.havePassed(position));
  }

  /** Settles when all that move together have passed the position. */
  async whenProcessed(position: Position): Promise<void> {
    if (position > this.#position) await this.#patient.wait(position);
  }

  /**
   * As `whenProcessed`, or for the projections of these collections alone, wherever they are. Settles as well, a moment later,
   * while the views cannot be written, and after some seconds in any case: the log has it all the same.
   */
  async whenProcessedOrLate(position: Position, collections?: readonly string[]): Promise<void> {
    if (collections === undefined && position <= this.#position) return;
    this.#sweep ??= setInterval(() => this.#releaseLate(), SWEEP_MS).unref();
    if (collections === undefined) await this.#impatient.wait(position);
    else await this.#particular.wait(() => this.havePassed(position, collections));
  }

  /** Lets those go that do not wait for views that cannot be written. */
  release(): void {
    this.#impatient.release();
    this.#particular.releaseAfter(0);
  }

  /** Rejects those that would wait for ever. */
  fail(error: Error): void {
    this.#patient.fail(error);
  }

  /** Rejects all: nothing moves any more. */
  end(): void {
    clearInterval(this.#sweep);
    for (const waiters of [this.#patient, this.#impatient, this.#conditions, this.#particular]) {
      waiters.fail(new Error('The projections have been stopped'));
    }
  }

  #releaseLate(): void {
    // The views cannot follow, and health says so.
    if (!this.areThere) this.release();
    const released = this.#impatient.releaseAfter(VIEWS_WAIT_MS) + this.#particular.releaseAfter(VIEWS_WAIT_MS);
    if (released > 0 && !this.#isLate) {
      this.#isLate = true;
      this.log.warn(
        `The views lack what was written ${VIEWS_WAIT_MS / 1000} seconds ago: requests no longer wait for them`,
      );
    }
    if (!this.#impatient.isEmpty || !this.#particular.isEmpty) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }
}
