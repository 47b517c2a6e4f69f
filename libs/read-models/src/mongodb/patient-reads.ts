import { setTimeout as delay } from 'node:timers/promises';
import type { MongoError } from 'mongodb';
import type { Outage } from '#kernel/outage';
import { ViewsUnavailable } from '../read-model-errors.js';
import { SELECTION_MS, type Way } from './connect.js';
import { isAway, isRefusal, unlessSilent, wordsOf } from './unreachable.js';

/** A server that is watched with success may still keep what it is asked to itself. */
const READ_MS = 8000;
const FIRST_PAUSE_MS = 50;
/** One after another, each twice as long: who waits for an answer does not wait longer than for a server that is slow. */
const TRIES = 5;
/** How often a database is asked whether it answers again, also where nobody else asks. */
const PROBE_MS = 1000;

/**
 * Reads of a database that may refuse them: while it is locked, or has too much to do. They change nothing: so one that is refused is
 * tried again for a moment, and then the views are lost, in one line, until it answers.
 */
export class PatientReads {
  #probing: NodeJS.Timeout | undefined;

  /** `probe`: a read that says whether they are answered again. */
  constructor(
    private readonly outage: Outage<Way>,
    private readonly probe: () => Promise<unknown>,
  ) {}

  /** What is read. Throws ViewsUnavailable where the server does not answer. */
  async read<T>(read: () => Promise<T>): Promise<T> {
    // Whoever came first has waited for another member to take its place.
    const { reason, lostMs } = this.outage;
    if (this.outage.isLost('connection') && lostMs > SELECTION_MS) throw new ViewsUnavailable(`still lost: ${reason}`);
    try {
      return await unlessSilent(READ_MS, this.#retry(read));
    } catch (error) {
      if (isRefusal(error)) this.#noteRefused(error);
      throw isAway(error) || isRefusal(error) ? new ViewsUnavailable(wordsOf(error), { cause: error }) : error;
    }
  }

  close(): void {
    clearInterval(this.#probing);
  }

  async #retry<T>(read: () => Promise<T>): Promise<T> {
    for (let pauseMs = FIRST_PAUSE_MS, tries = 1; ; tries++, pauseMs *= 2) {
      try {
        return await read();
      } catch (error) {
        // The driver has tried again by itself what a connection has lost.
        if (!isRefusal(error) || tries === TRIES || this.outage.isLost('read')) throw error;
        await delay(pauseMs * (0.5 + Math.random() / 2));
      }
    }
  }

  #noteRefused(error: MongoError): void {
    this.outage.noteLoss('read', wordsOf(error));
    this.#probing ??= setInterval(() => void this.#probeNow(), PROBE_MS).unref();
  }

  async #probeNow(): Promise<void> {
    try {
      await unlessSilent(READ_MS, this.probe());
    } catch {
      return;
    }
    clearInterval(this.#probing);
    this.#probing = undefined;
    this.outage.noteSuccess('read');
  }
}
