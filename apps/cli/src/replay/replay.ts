import { START } from '#kernel/position';
import type { Comparison } from '#projections/compare-generations';
import type { ProjectionStatus } from '#projections/projection-status';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import { comparisonText } from '../projections/print-projections.js';
import type { ProjectionsToSteer } from '../projections/remote-projections.js';
import { type RebuildOutcome, waitForRebuild } from '../projections/wait-for-rebuild.js';
import { Progress } from '../terminal/progress.js';
import type { Terminal } from '../terminal/terminal.js';
import { count, counted, duration } from '../terminal/units.js';

export interface ReplayOptions {
  readonly json: boolean;
  /** Print the checksum of every collection in the end. */
  readonly checksums: boolean;
  readonly signal: AbortSignal;
}

/** What became of one projection, as it is printed. */
interface Result {
  readonly projection: string;
  readonly ok: boolean;
  readonly outcome: string;
  readonly rows?: number;
  readonly differences?: number;
  /** Some of the rows that differ: collection and key. */
  readonly examples?: Comparison['examples'];
}

/** One replay of the whole log: what is under way, what came of it. */
export class Replay {
  readonly #statuses = new Map<string, ProjectionStatus>();
  readonly #results: Result[] = [];
  readonly #progress: Progress;

  constructor(
    private readonly terminal: Terminal,
    private readonly options: ReplayOptions,
    private readonly projections: ProjectionsToSteer,
    private readonly names: readonly string[],
  ) {
    this.#progress = new Progress(terminal, 'replay');
  }

  /** Rebuilds one projection to the end, whatever that is. */
  async rebuild(name: string): Promise<void> {
    try {
      // One that an interrupted replay has begun goes on.
      const { next } = await this.projections.status(name);
      if (next?.state !== 'filling') await this.projections.rebuild(name, { fromStart: true });
    } catch (error) {
      // Refused: the others are rebuilt all the same.
      if (!(error instanceof Error) || this.options.signal.aborted || isGone(error)) throw error;
      this.#results.push({ projection: name, ok: false, outcome: error.message });
      return;
    }
    const onStatus = (status: ProjectionStatus): void => this.show([status]);
    this.#results.push(resultOf(name, await waitForRebuild(this.projections, name, onStatus, this.options.signal)));
  }

  /** Takes what serves as the result: there were no views, and filling them was the replay. */
  async takeAsFilled(): Promise<void> {
    const statuses = await this.projections.list();
    this.show(statuses);
    for (const { name, deadLetters, state, lastError } of statuses) {
      const ok = deadLetters === 0 && state === 'live';
      const problem =
        deadLetters > 0 ? `${counted(deadLetters, 'fact')} could not be taken` : `is ${state}: ${lastError ?? ''}`;
      this.#results.push({ projection: name, ok, outcome: ok ? 'filled' : problem });
    }
  }

  /** Shows how far some of the projections are. */
  show(statuses: readonly ProjectionStatus[]): void {
    for (const status of statuses) this.#statuses.set(status.name, status);
    const all = [...this.#statuses.values()];
    // All projections together pass the log once for each: shown is the log, in which they are at different places.
    const of = Math.max(...all.map(({ facts }) => facts.of));
    const done = all.reduce((sum, { facts, next }) => sum + (next === undefined ? of : Math.min(facts.done, of)), 0);
    this.#progress.show({ done: done / this.names.length, of });
  }

  /** Prints what came of it. */
  async finish(): Promise<ExitCode> {
    const seconds = this.#progress.finish();
    const { json, checksums } = this.options;
    const order = (result: Result): number => this.names.indexOf(result.projection);
    for (const result of this.#results.toSorted((a, b) => order(a) - order(b))) {
      const { projection, ok, outcome } = result;
      await this.terminal.line(
        json ? JSON.stringify({ kind: 'projection', ...result }) : `${ok ? 'ok  ' : 'FAIL'}  ${projection}: ${outcome}`,
      );
      if (checksums) await this.#printChecksums(projection);
    }
    const ok = this.#results.every((result) => result.ok);
    const facts = Math.max(0, ...[...this.#statuses.values()].map((status) => status.facts.of));
    const speed = facts / Math.max(seconds, 0.001);
    if (json) {
      const rounded = Math.round(speed);
      await this.terminal.line(
        JSON.stringify({
          kind: 'summary',
          ok,
          projections: this.names.length,
          facts,
          seconds,
          facts_per_second: rounded,
        }),
      );
    } else {
      const what = `${counted(facts, 'fact')} through ${counted(this.names.length, 'projection')}`;
      await this.terminal.line(`replayed ${what} in ${duration(seconds)}: ${count(speed)} facts a second`);
    }
    return ok ? EXIT.ok : EXIT.found;
  }

  async #printChecksums(name: string): Promise<void> {
    for (const [collection, { rows, sum }] of Object.entries(await this.projections.checksum(name))) {
      const line = { kind: 'checksum', projection: name, collection, rows, sum };
      await this.terminal.line(
        this.options.json ? JSON.stringify(line) : `      ${sum}  ${collection}, ${counted(rows, 'row')}`,
      );
    }
  }
}

function isGone(error: Error): boolean {
  return error instanceof CliFailure && error.exitCode === EXIT.failed;
}

function resultOf(projection: string, outcome: RebuildOutcome): Result {
  if (outcome.kind === 'ended') return { projection, ok: false, outcome: outcome.reason };
  if (outcome.kind === 'ready') return { projection, ok: false, outcome: 'is filled, but was not switched to' };
  const { comparison } = outcome;
  if (comparison === undefined)
    return { projection, ok: true, outcome: 'rebuilt; what it replaced was of another version' };
  const { rows, differences, examples } = comparison;
  const outcomeText = comparisonText(comparison);
  return { projection, ok: differences === 0, outcome: outcomeText, rows, differences, examples };
}

/** Whether nothing was ever projected: then there is nothing to compare a replay with. */
export function isUntouched(statuses: readonly ProjectionStatus[]): boolean {
  return statuses.every(({ serving, next, previous, lastError }) => {
    const isFirst = serving.generation === 1 && serving.position === START;
    return isFirst && next === undefined && previous === undefined && lastError === undefined;
  });
}
