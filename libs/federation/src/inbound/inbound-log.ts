import { randomUUID } from 'node:crypto';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, RevisionConflict, type RecordedFact } from '#event-store/event-store';
import { draftOf, type FactDraft, sealFacts } from '#event-store/seal-facts';
import { sayAgain } from '#event-store/shorten-stream';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { METRICS, type Metrics } from '#observability/metrics';
import { Refusals } from '../refusals/refusals.js';
import {
  evolveWaiting,
  INBOUND_STREAM,
  keyOfQueued,
  type NewWaitingPdu,
  NOBODY_WAITS,
  queuedData,
  type Waiting,
  waitingKey,
  type WaitingPdu,
} from '../facts/inbound-facts.js';

/** How many events wait at most: of one server, and of all; and how much text they are. */
const MOST_OF_SERVER = 500;
const MOST = 4_000;
const MOST_UNITS = 64 * 1024 * 1024;
/** After so many facts the stream is looked at whether most of it is of the past. */
const FACTS_PER_LOOK = 512;
/** About as much as every log takes in one write. */
const UNITS_AT_ONCE = 400 * 1024;

/** The events that wait for what they miss, as facts. What is added is durable, whatever ends the process. */
@Injectable()
export class InboundLog implements OnModuleInit {
  readonly #log: Aggregates<Waiting>;
  /** Since it was last looked at how many of the facts still count. */
  #written = 0;
  /** How many wait, when that was last seen. */
  #waiting = 0;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(METRICS) private readonly metrics: Pick<Metrics, 'addGauge'>,
    @Inject(Refusals) private readonly refusals: Pick<Refusals, 'note'>,
  ) {
    this.#log = new Aggregates({ store, clock, capacity: 1, initialState: NOBODY_WAITS, evolve: evolveWaiting });
  }

  onModuleInit(): void {
    const help = 'Events of other servers that wait for what they miss';
    this.metrics.addGauge('annals_inbound_waiting', help, () => this.#waiting);
  }

  /** All that wait now, whichever process added them. */
  async load(): Promise<Waiting> {
    const { state } = await this.#log.load(INBOUND_STREAM);
    this.#waiting = state.size;
    return state;
  }

  /**
   * Lets events wait, durably. Answers those that wait from now on or did before: of others there are too many. Throws where the log
   * cannot be reached: then some may wait.
   */
  async add(origin: ServerName, pdus: readonly NewWaitingPdu[]): Promise<readonly WaitingPdu[]> {
    const taken: WaitingPdu[] = [];
    for (const some of inWrites(pdus, ({ text }) => text.length)) {
      const decide = (waiting: Waiting): FactDraft[] => fitting(waiting, some).map(draftOfQueued);
      const { state, facts } = await this.#log.execute(INBOUND_STREAM, decide, { actor: origin });
      this.#note(state, facts);
      taken.push(...some.flatMap((pdu) => state.get(waitingKey(pdu)) ?? []));
    }
    return taken;
  }

  /** An event waits no more. `reason`: why it was given up. */
  async settle({ roomId, eventId, origin, transaction }: WaitingPdu, reason?: string): Promise<void> {
    const data = { room_id: roomId, event_id: eventId, ...(reason === undefined ? {} : { reason }) };
    if (reason !== undefined) this.refusals.note(origin, { kind: 'given-up', ...data, txn_id: transaction });
    const decide = (waiting: Waiting): FactDraft[] =>
      waiting.has(waitingKey({ roomId, eventId })) ? [draftOf({ type: 'pdu-settled', data })] : [];
    const { state, revision, facts } = await this.#log.execute(INBOUND_STREAM, decide, { actor: origin });
    this.#note(state, facts);
    if (typeof revision !== 'number') return;
    if (state.size === 0) await this.store.truncate(INBOUND_STREAM, revision);
    else if (this.#written >= FACTS_PER_LOOK) await this.#shorten();
  }

  #note(waiting: Waiting, written: readonly unknown[]): void {
    this.#written += written.length;
    this.#waiting = waiting.size;
  }

  /** Says again what waits, and lets all before that go. Where another process writes meanwhile, it is for the next look. */
  async #shorten(): Promise<void> {
    this.#written = 0;
    let waiting = NOBODY_WAITS;
    let last: RecordedFact | undefined;
    let found = 0;
    const queued = new Map<string, RecordedFact>();
    for await (const fact of this.store.readStream(INBOUND_STREAM)) {
      waiting = evolveWaiting(waiting, fact);
      if (fact.type === 'pdu-queued') queued.set(keyOfQueued(fact), fact);
      last = fact;
      found++;
    }
    if (last === undefined || found < waiting.size * 2) return;
    const again = [...waiting.keys()].map((key) => sayAgain(queued.get(key)!));
    try {
      let { revision } = last;
      let { chain } = last.metadata;
      for (const some of inWrites(again, ({ data }) => data.length)) {
        const facts = sealFacts(chain, some);
        ({ revision } = await this.store.append(INBOUND_STREAM, revision, facts));
        ({ chain } = facts.at(-1)!.metadata);
      }
      await this.store.truncate(INBOUND_STREAM, last.revision + 1);
    } catch (error) {
      if (!(error instanceof RevisionConflict)) throw error;
    }
  }
}

const draftOfQueued = (pdu: NewWaitingPdu): FactDraft => ({
  id: randomUUID(),
  type: 'pdu-queued',
  data: queuedData(pdu),
});

/** Those that do not wait yet, up to where they would be too many. */
function fitting(waiting: Waiting, pdus: readonly NewWaitingPdu[]): NewWaitingPdu[] {
  const all = [...waiting.values()];
  const [{ origin } = { origin: undefined }] = pdus;
  let ofServer = all.filter((one) => one.origin === origin).length;
  let units = all.reduce((sum, { text }) => sum + text.length, 0);
  let count = all.length;
  return pdus.filter((pdu) => {
    if (waiting.has(waitingKey(pdu))) return false;
    if (ofServer >= MOST_OF_SERVER || count >= MOST || units + pdu.text.length > MOST_UNITS) return false;
    ofServer++;
    count++;
    units += pdu.text.length;
    return true;
  });
}

/** Parts of a list that go into one write each. */
function* inWrites<T>(list: readonly T[], sizeOf: (one: T) => number): Generator<readonly T[]> {
  let some: T[] = [];
  let units = 0;
  for (const one of list) {
    if (some.length > 0 && units + sizeOf(one) > UNITS_AT_ONCE) {
      yield some;
      some = [];
      units = 0;
    }
    some.push(one);
    units += sizeOf(one);
  }
  if (some.length > 0) yield some;
}
