import { MatrixError } from './matrix-error.js';

/** Who waits for something, whose share is counted, and until when they do. */
export interface Asker {
  readonly by: string;
  readonly signal?: AbortSignal;
}

export interface FairTurnsOptions {
  /** So much is done at a time. */
  readonly atOnce: number;
  /** So much may wait, of one and of all together; who waits for nothing else may always wait for one thing. */
  readonly mostOfOne: number;
  readonly mostOfAll: number;
  /** What is said to who may not. */
  readonly refusal: string;
}

const RETRY_AFTER_MS = 5_000;

interface Job<T> {
  readonly name: string;
  readonly work: () => Promise<T>;
  readonly done: Promise<T>;
  readonly settle: (outcome: Promise<T>) => void;
  /** Whose turns it has a place in. */
  readonly lines: Set<string>;
  /** How many wait for it. */
  askers: number;
  hasBegun: boolean;
}

/**
 * Does what many ask for, so much at a time: each of them has their turn after the others', however much one of them asks for. What several
 * ask for under one name is done once, when the turn of the first of them comes; what nobody waits for any more is not begun.
 */
export class FairTurns<T> {
  readonly #options: FairTurnsOptions;
  /** What each waits for. Whose turn is next comes first. */
  readonly #lines = new Map<string, Job<T>[]>();
  /** What waits or is under way, by name. */
  readonly #jobs = new Map<string, Job<T>>();
  #waiting = 0;
  #free: number;
  #isEnded = false;

  constructor(options: FairTurnsOptions) {
    this.#options = options;
    this.#free = options.atOnce;
  }

  /** How much waits. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Answers what the work does, which is no other for the same name. Throws what that throws, the reason of the signal, and M_LIMIT_EXCEEDED
   * where too much waits already.
   */
  async once(name: string, { by, signal }: Asker, work: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const job = this.#place(name, by, work);
    job.askers++;
    this.#next();
    try {
      return await (signal === undefined ? job.done : unlessAborted(job.done, signal));
    } finally {
      job.askers--;
      if (job.askers === 0 && this.#waits(job)) this.#drop(job);
    }
  }

  /** Begins nothing more: whoever waits is told so. */
  end(): void {
    this.#isEnded = true;
    for (const job of this.#jobs.values()) {
      if (!this.#waits(job)) continue;
      this.#drop(job);
      job.settle(Promise.reject(this.#refusal()));
    }
  }

  /** What is to be done, in the line of who asks unless it is under way. */
  #place(name: string, by: string, work: () => Promise<T>): Job<T> {
    const known = this.#jobs.get(name);
    if (known?.hasBegun === true || known?.lines.has(by) === true) return known;
    const line = this.#lines.get(by) ?? [];
    const { mostOfOne, mostOfAll } = this.#options;
    const isFull = line.length > 0 && (line.length >= mostOfOne || this.#waiting >= mostOfAll);
    if (isFull || this.#isEnded) throw this.#refusal();
    const job = known ?? newJob(name, work);
    if (known === undefined) {
      this.#jobs.set(name, job);
      this.#waiting++;
    }
    job.lines.add(by);
    line.push(job);
    this.#lines.set(by, line);
    return job;
  }

  #next(): void {
    while (this.#free > 0) {
      const [first] = this.#lines;
      if (first === undefined) return;
      const [by, [job]] = first;
      // Who had their turn is the last to have one again.
      const line = this.#lines.get(by)!;
      this.#lines.delete(by);
      this.#lines.set(by, line);
      if (job !== undefined) this.#begin(job);
    }
  }

  #begin(job: Job<T>): void {
    this.#leaveLines(job);
    job.hasBegun = true;
    this.#free--;
    const working = job.work();
    job.settle(working);
    const end = (): void => {
      this.#jobs.delete(job.name);
      this.#free++;
      this.#next();
    };
    working.then(end, end);
  }

  #waits(job: Job<T>): boolean {
    return !job.hasBegun && this.#jobs.get(job.name) === job;
  }

  #drop(job: Job<T>): void {
    this.#leaveLines(job);
    this.#jobs.delete(job.name);
  }

  #leaveLines(job: Job<T>): void {
    this.#waiting--;
    for (const by of job.lines) {
      const left = this.#lines.get(by)!.filter((other) => other !== job);
      if (left.length === 0) this.#lines.delete(by);
      else this.#lines.set(by, left);
    }
    job.lines.clear();
  }

  #refusal(): MatrixError {
    return new MatrixError('M_LIMIT_EXCEEDED', this.#options.refusal, { fields: { retry_after_ms: RETRY_AFTER_MS } });
  }
}

function newJob<T>(name: string, work: () => Promise<T>): Job<T> {
  let settle: Job<T>['settle'] = () => {};
  const done = new Promise<T>((resolve) => (settle = resolve));
  // Nobody may be waiting for it any more.
  done.catch(() => {});
  return { name, work, done, settle, lines: new Set(), askers: 0, hasBegun: false };
}

async function unlessAborted<T>(done: Promise<T>, signal: AbortSignal): Promise<T> {
  let giveUp = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    giveUp = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', giveUp, { once: true });
  });
  try {
    return await Promise.race([done, aborted]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
