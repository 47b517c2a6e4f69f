import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { draftOf } from '#event-store/seal-facts';
import { CLOCK, type Clock, type Stopwatch } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { LOGGER, type Logger } from '#observability/logger';
import { type Refusal, REFUSALS_STREAM, type Refused, refusalsStream } from '../facts/refusal-facts.js';

/** What was refused of one server and is not in the log yet. */
interface Noted {
  readonly refusals: Refusal[];
  further: number;
  /** When the log takes it, by the stopwatch. */
  readonly dueAt: number;
}

/** So many refusals one fact tells; of requests under one name, which anybody can give, so many. */
const MOST = 16;
const MOST_OF_NAME = 2;
/** Characters of what other servers chose. */
const MOST_TEXT = 255;
/** The first is written so soon; what comes after it so much later, however much it is. */
const SOON_MS = 2_000;
const THEN_MS = 60_000;
/** Servers whose refusals are held at a time, and streams that are remembered. */
const SERVERS = 1_000;
/** So many facts stand in a stream, and as many that are still to go. */
const FACTS = 20;

/**
 * Notes what is refused of other servers, for operators (`annals federation`). It is no record of all: of one server a fact a minute at
 * most is written, with the first few and how many there were besides, and of those the last twenty or forty stay. So whoever sends much
 * that is refused costs neither time nor disk.
 */
@Injectable()
export class Refusals implements OnModuleDestroy {
  readonly #noted = new Map<string, Noted>();
  readonly #streams: Aggregates<undefined>;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock & Stopwatch,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    const fold = { initialState: undefined, evolve: () => undefined };
    this.#streams = new Aggregates({ store, clock, capacity: SERVERS, newestOnly: true, ...fold });
  }

  /** Notes what was refused of a server that proved who it is. Waits for nothing, and never throws. */
  note(server: ServerName, refusal: Omit<Refusal, 'at' | 'server'>): void {
    this.logger.debug({ server, ...refusal }, 'refused');
    this.#add(refusalsStream(server), refusal, MOST);
  }

  /** As `note`, of whoever said to be a server. */
  noteUnproven(server: string, reason: string): void {
    this.logger.debug({ server, reason }, 'refused');
    this.#add(REFUSALS_STREAM, { kind: 'request', server, reason }, MOST_OF_NAME);
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.#timer);
    await this.write(true).catch(() => {}); // with the log away it is lost
  }

  /** Writes what is due, or all. Throws as the log where that cannot be reached: then it is written another time. */
  async write(isAll = false): Promise<void> {
    const now = this.clock.elapsed();
    for (const [stream, noted] of this.#noted) {
      if (!isAll && noted.dueAt > now) continue;
      const { refusals, further } = noted;
      if (refusals.length === 0) this.#noted.delete(stream);
      else {
        const next: Noted = { refusals: [], further: 0, dueAt: now + THEN_MS };
        this.#noted.set(stream, next);
        await this.#append(stream, { refusals, ...(further === 0 ? {} : { further }) }).catch((error: unknown) => {
          next.refusals.unshift(...refusals);
          next.further += further;
          throw error;
        });
      }
    }
  }

  #add(stream: string, refusal: Omit<Refusal, 'at'>, mostOfName: number): void {
    const noted = this.#noted.get(stream) ?? this.#begin(stream);
    if (noted === undefined) return;
    const ofName = noted.refusals.filter(({ server }) => server === refusal.server).length;
    if (noted.refusals.length >= MOST || ofName >= mostOfName) noted.further++;
    else noted.refusals.push({ ...cut(refusal), at: this.clock.now() });
    this.#timer ??= setInterval(() => void this.#writeInTime(), SOON_MS).unref();
  }

  /** Undefined where there are too many servers of which something is refused. */
  #begin(stream: string): Noted | undefined {
    if (this.#noted.size >= SERVERS) return undefined;
    const noted: Noted = { refusals: [], further: 0, dueAt: this.clock.elapsed() + SOON_MS };
    this.#noted.set(stream, noted);
    return noted;
  }

  async #writeInTime(): Promise<void> {
    try {
      await this.write();
    } catch {
      // An outage is told where the log is watched; the next time writes it.
    }
    if (this.#noted.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #append(stream: string, data: Refused): Promise<void> {
    const decide = () => [draftOf({ type: 'refused', data })];
    const { revision } = await this.#streams.execute(stream, decide, { actor: 'server' });
    if (typeof revision === 'number' && revision >= FACTS && revision % FACTS === 0) {
      await this.store.truncate(stream, revision - FACTS + 1);
    }
  }
}

/** Without more of what other servers chose than is of use. */
function cut(refusal: Omit<Refusal, 'at'>): Omit<Refusal, 'at'> {
  const entries = Object.entries(refusal).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, value.length > MOST_TEXT ? `${value.slice(0, MOST_TEXT)}…` : value]),
  ) as Omit<Refusal, 'at'>; // the same keys
}
