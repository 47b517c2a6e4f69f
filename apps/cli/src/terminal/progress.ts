import { Meter } from '#projections/meter';
import type { Terminal } from './terminal.js';
import { count, duration } from './units.js';

/** How far a piece of work is. */
export interface Step {
  /** How many are done so far. */
  readonly done: number;
  /** How many there are in all; undefined where nobody knows. */
  readonly of: number | undefined;
  /** What is counted, in the plural; left out: facts. */
  readonly what?: string;
  /** What is being worked on. */
  readonly about?: string;
}

const DRAW_EVERY_MS = 100;
/** Where nobody watches, a line now and then for the record. */
const SAY_EVERY_MS = 5000;
const BAR = 24;

/** Draws a bar with how many are done per second and the time left on a terminal; elsewhere writes a plain line now and then. */
export class Progress {
  readonly #meter = new Meter();
  readonly #started = performance.now();
  #shownAt: number;
  #done = 0;
  #first: number | undefined;

  constructor(
    private readonly terminal: Terminal,
    private readonly label: string,
  ) {
    // The first plain line comes after a while: short work needs none.
    this.#shownAt = terminal.isLive ? -Infinity : this.#started;
  }

  /** Tells how far the work is. Cheap: most calls draw nothing. */
  show(step: Step): void {
    this.#first ??= step.done;
    if (step.done > this.#done) this.#meter.add(step.done - Math.max(this.#done, this.#first));
    this.#done = step.done;
    const now = performance.now();
    if (now - this.#shownAt < (this.terminal.isLive ? DRAW_EVERY_MS : SAY_EVERY_MS)) return;
    this.#shownAt = now;
    const text = progressLine(this.label, step, this.#meter.perSecond(), this.terminal.isLive);
    if (this.terminal.isLive) this.terminal.status(text.slice(0, this.terminal.columns - 1));
    else this.terminal.note(text);
  }

  /** Takes the bar away. Answers the seconds since the beginning. */
  finish(): number {
    this.terminal.status(undefined);
    return (performance.now() - this.#started) / 1000;
  }
}

/** One line of progress, with a bar or without. */
export function progressLine(
  label: string,
  { done, of, what = 'facts', about }: Step,
  perSecond: number,
  withBar: boolean,
): string {
  const speed = `${count(perSecond)} ${what}/s`;
  const tail = about === undefined ? '' : `  ${about}`;
  if (of === undefined || of <= 0) return `${label}  ${count(done)} ${what}  ${speed}${tail}`;
  const share = Math.min(1, done / of);
  const filled = Math.round(share * BAR);
  const bar = withBar ? `[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}] ` : '';
  const left = perSecond > 0 && done < of ? `  ${duration((of - done) / perSecond)} left` : '';
  return `${label}  ${bar}${Math.floor(share * 100)} %  ${count(done)} of ${count(of)} ${what}  ${speed}${left}${tail}`;
}
