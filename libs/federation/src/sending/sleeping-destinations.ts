import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { doublingPause } from '#kernel/doubling-pause';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { messageOf } from '#kernel/message-of';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { LOGGER, type Logger } from '#observability/logger';
import type { FactPlace } from '#projections/effects/effect-progress';
import { VIEWS, type Views } from '#projections/views';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import type { DestinationBehind } from '../facts/destination-facts.js';
import { DESTINATIONS } from '../projections/destinations.projector.js';
import { DestinationNotes } from './destination-notes.js';

/** For how long a server is left alone that could not be reached: twice as long each time, and half a day at most. */
const FIRST_MS = 15_000;
const LONGEST_MS = 12 * 3_600_000;
/** How much longer or shorter by chance, so that not all are tried at once. */
const SPREAD = 0.2;
/**
 * One that is heard from is not tried again sooner than that after it failed; twice as long each time, and some minutes at most, for there
 * are servers that ask us all day and cannot be reached.
 */
const SOONEST_MS = 5_000;
const LATEST_SOONEST_MS = 5 * 60_000;
/** One that asks for a pause gets it, up to that. */
const LONGEST_ASKED_MS = 3_600_000;
/** Before a note is tried again that the log did not take. */
const NOTE_AGAIN_MS = 5_000;
const LONGEST_ERROR = 300;

interface Sleep {
  /** When it may be tried again where it is heard from. */
  readonly soonest: number;
  retryAt: number;
}

/**
 * The servers that are left alone because they could not be reached: who they are and when they are tried again, and nothing else is in
 * memory of each; what they lack is in the log. No timer is for one of them.
 */
@Injectable()
export class SleepingDestinations {
  readonly #asleep = new Map<ServerName, Sleep>();

  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly notes: DestinationNotes,
  ) {}

  get size(): number {
    return this.#asleep.size;
  }

  has(server: ServerName): boolean {
    return this.#asleep.has(server);
  }

  /** When a server is tried again, in milliseconds since the epoch; undefined where it is not left alone. */
  retryAt(server: ServerName): number | undefined {
    return this.#asleep.get(server)?.retryAt;
  }

  /** Reads who is behind, by all that the log says. Throws where it or the views are away, or these are late. */
  async load(): Promise<void> {
    const head = await this.notes.head();
    await this.views.whenProcessed(head, [DESTINATIONS.name]);
    if (this.views.position([DESTINATIONS.name]) < head)
      throw new ViewsUnavailable('who is behind is not read from the log yet');
    this.#asleep.clear();
    for await (const page of DESTINATIONS.pages(this.views, {})) {
      for (const { key, value } of page) this.#asleep.set(key[0], { soonest: 0, retryAt: value.retry_at });
    }
  }

  forgetAll(): void {
    this.#asleep.clear();
  }

  /** Takes a server out of its sleep; answers whether it slept. */
  wake(server: ServerName): boolean {
    return this.#asleep.delete(server);
  }

  /** A server was heard from: answers whether it should be tried now. Else that is soon. */
  hear(server: ServerName): boolean {
    const sleep = this.#asleep.get(server);
    if (sleep === undefined) return false;
    if (this.clock.now() >= sleep.soonest) return true;
    sleep.retryAt = Math.min(sleep.retryAt, sleep.soonest);
    return false;
  }

  /** Those that are to be tried again now, some of them. */
  due(most: number): ServerName[] {
    const now = this.clock.now();
    const latest = now + LONGEST_MS * (1 + SPREAD);
    const due: ServerName[] = [];
    for (const [server, { retryAt }] of this.#asleep) {
      // No pause is so long: the clock was put back since it was noted.
      if ((retryAt <= now || retryAt > latest) && due.push(server) === most) break;
    }
    return due;
  }

  /** Notes that a server is behind though it can be reached. Settles once that is in the log; undefined where nothing is owed to it. */
  noteSlow(server: ServerName, since: FactPlace, signal: AbortSignal): Promise<DestinationBehind | undefined> {
    const at = this.clock.now();
    return this.#untilNoted(signal, () =>
      this.notes.noteBehind(server, since, (before) => ({ failures: before?.failures ?? 0, retry_at: at })),
    );
  }

  /**
   * Leaves a server alone for a while, once it is in the log from where on it lacks what it was to be sent: `since`, or what is noted
   * already. Answers false where nothing is owed to it; then it is not left alone. Rejects with the reason of `signal`.
   */
  async sleep(server: ServerName, since: FactPlace | undefined, why: unknown, signal: AbortSignal): Promise<boolean> {
    const isPeers = why instanceof PeerUnavailable || why instanceof PeerRefused;
    const error = messageOf(why).slice(0, LONGEST_ERROR);
    const now = this.clock.now();
    const asked = Math.min(LONGEST_ASKED_MS, (why instanceof PeerRefused ? why.retryAfterMs : undefined) ?? 0);
    const behind = await this.#untilNoted(signal, () =>
      this.notes.noteBehind(server, since, (before) => {
        const failures = (before?.failures ?? 0) + Number(isPeers);
        return { failures, retry_at: now + Math.max(asked, pauseAfter(failures)), error };
      }),
    );
    if (behind === undefined) return false;
    const pause = doublingPause(behind.failures, SOONEST_MS, LATEST_SOONEST_MS);
    const soonest = now + Math.max(asked, pause);
    this.#asleep.set(server, { soonest, retryAt: behind.retry_at });
    const told = { server, error, failures: behind.failures, retryAt: new Date(behind.retry_at).toISOString() };
    if (!isPeers) this.logger.error({ ...told, err: why }, 'what a server lacks cannot be sent to it');
    else if (behind.failures === 1) this.logger.info(told, 'a server cannot be reached: it is left alone for a while');
    return true;
  }

  /** From where on a server lacks something; undefined where it lacks nothing. Throws where the log is away. */
  async findSince(server: ServerName): Promise<Position | undefined> {
    const behind = await this.notes.find(server);
    return behind && this.notes.placeOf(behind);
  }

  /** A server lacks only what comes after a fact by now. Where the log does not take it, it is sent some of it once more. */
  async noteProgress(server: ServerName, since: FactPlace): Promise<void> {
    const retryAt = this.clock.now();
    await this.notes.noteProgress(server, since, { failures: 0, retry_at: retryAt }).catch((error: unknown) => {
      this.logger.warn({ server, reason: messageOf(error) }, 'it could not be noted how far a server is');
    });
  }

  /** Nothing is owed to a server any more. Where the log does not take it, it is found out again after the next start. */
  async noteCaughtUp(server: ServerName): Promise<void> {
    try {
      await this.notes.noteCaughtUp(server);
    } catch (error) {
      this.logger.warn({ server, reason: messageOf(error) }, 'it could not be noted that a server lacks nothing');
    }
  }

  async #untilNoted<T>(signal: AbortSignal, note: () => Promise<T>): Promise<T> {
    for (;;) {
      signal.throwIfAborted();
      try {
        return await note();
      } catch (error) {
        this.logger.warn({ reason: messageOf(error) }, 'it could not be noted that a server is behind');
        await delay(NOTE_AGAIN_MS, undefined, { signal, ref: false });
      }
    }
  }
}

function pauseAfter(failures: number): number {
  const full = doublingPause(failures, FIRST_MS, LONGEST_MS);
  return Math.round(full * (1 + SPREAD * (2 * Math.random() - 1)));
}
