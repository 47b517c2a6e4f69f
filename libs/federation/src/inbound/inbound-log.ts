import { randomUUID } from 'node:crypto';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Aggregates } from '#event-store/aggregates';
import {
  EVENT_STORE,
  type EventStore,
  type ExpectedRevision,
  type RecordedFact,
  RevisionConflict,
} from '#event-store/event-store';
import { draftOf, type FactDraft, sealFacts } from '#event-store/seal-facts';
import { sayAgain } from '#event-store/shorten-stream';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { METRICS, type Metrics } from '#observability/metrics';
import { bytesInLog, inGroups, MOST_IN_A_WRITE } from '#rooms/facts/log-limits';
import { Refusals } from '../refusals/refusals.js';
import { type Fit, fitWaiting } from './fit-waiting.js';
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

/** After so many facts the stream is looked at whether most of it is of the past. */
const FACTS_PER_LOOK = 512;

/** What became of events that were to wait. */
export interface Added {
  /** Those that wait from now on, or did before. */
  readonly waiting: readonly WaitingPdu[];
  /** Those that gave way to others which stand on them, and are fetched with these: some were to wait, others did before. */
  readonly gaveWay: readonly NewWaitingPdu[];
  /** Some do not because of how many others wait: not those of their own server. */
  readonly isCrowded: boolean;
}

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

  /** Lets events wait, durably, as far as there are not too many. Throws where the log cannot be reached: then some may wait. */
  async add(origin: ServerName, pdus: readonly NewWaitingPdu[]): Promise<Added> {
    const taken = new Map<string, WaitingPdu>();
    const gaveWay: NewWaitingPdu[] = [];
    let isCrowded = false;
    for (const some of inWrites(pdus, ({ text }) => text)) {
      let fit: Fit = NOTHING_FITS;
      const decide = (waiting: Waiting): FactDraft[] => {
        fit = fitWaiting(waiting, origin, some);
        const waited = fit.givingWay.filter((pdu) => waiting.has(waitingKey(pdu)));
        return [...fit.fitting.map(draftOfQueued), ...waited.map(draftOfGivingWay)];
      };
      const { state, revision, facts } = await this.#log.execute(INBOUND_STREAM, decide, { actor: origin });
      this.#note(state, facts);
      for (const pdu of fit.givingWay) taken.delete(waitingKey(pdu));
      for (const pdu of some.flatMap((one) => state.get(waitingKey(one)) ?? [])) taken.set(waitingKey(pdu), pdu);
      gaveWay.push(...fit.givingWay);
      isCrowded ||= fit.isCrowded;
      if (fit.givingWay.length > 0) await this.#keepShort(state, revision);
    }
    return { waiting: [...taken.values()], gaveWay, isCrowded };
  }

  /** An event waits no more. `reason`: why it was given up. */
  async settle({ roomId, eventId, origin, transaction }: WaitingPdu, reason?: string): Promise<void> {
    const data = { room_id: roomId, event_id: eventId, ...(reason === undefined ? {} : { reason }) };
    if (reason !== undefined) this.refusals.note(origin, { kind: 'given-up', ...data, txn_id: transaction });
    const decide = (waiting: Waiting): FactDraft[] =>
      waiting.has(waitingKey({ roomId, eventId })) ? [draftOf({ type: 'pdu-settled', data })] : [];
    const { state, revision, facts } = await this.#log.execute(INBOUND_STREAM, decide, { actor: origin });
    this.#note(state, facts);
    await this.#keepShort(state, revision);
  }

  async #keepShort(waiting: Waiting, revision: ExpectedRevision): Promise<void> {
    if (typeof revision !== 'number') return;
    if (waiting.size === 0) await this.store.truncate(INBOUND_STREAM, revision);
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
      for (const some of inWrites(again, ({ data }) => data)) {
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

const NOTHING_FITS: Fit = Object.freeze({ fitting: [], givingWay: [], isCrowded: false });

const draftOfGivingWay = ({ roomId, eventId }: NewWaitingPdu): FactDraft =>
  draftOf({ type: 'pdu-settled', data: { room_id: roomId, event_id: eventId, gave_way: true } });

const draftOfQueued = (pdu: NewWaitingPdu): FactDraft => ({
  id: randomUUID(),
  type: 'pdu-queued',
  data: queuedData(pdu),
});

/** Parts of a list that go into one write each, which every log takes. */
function inWrites<T>(list: readonly T[], textOf: (one: T) => string): readonly T[][] {
  return inGroups(list, (one) => bytesInLog(textOf(one)), MOST_IN_A_WRITE);
}
