import { expect } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import type { ForeignServer } from '#testing/receiving/foreign-server';
import { keysOf } from '#testing/receiving/memory-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { requesterOf, RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { RoomVerifier } from '../../src/audit/verify-room.js';
import { ReceivePdus } from '../../src/commands/receive-pdus.js';
import type { Receipt } from '../../src/commands/receiving.js';
import { RedactEvent } from '../../src/commands/redact-event.js';
import { TakeInRoom } from '#testing/receiving/take-in-room';
import type { EventDraft } from '../../src/decide/decide-event.js';
import { roomEventOfFact } from '../../src/facts/read-room-fact.js';
import { type PduAccepted, type PduRedacted, roomStream } from '../../src/facts/room-facts.js';
import { extremitiesAfter } from '../../src/facts/told-extremities.js';
import { pduTextOf } from '../../src/facts/fact-text.js';
import { roomProjectors } from '../../src/projections/room-projectors.js';
import { slowKey, type SlowState } from './slow-resolution.js';
import { type SlowOutcome, SlowRoom } from './slow-room.js';

export const sorted = (list: Iterable<unknown>): unknown[] => [...list].map((one) => JSON.stringify(one)).sort();
const entriesOf = (state: StateTrie): unknown[] =>
  sorted(Array.from(state.entries(), ({ type, stateKey, eventId }) => [slowKey(type, stateKey), eventId]));
const slowEntriesOf = (state: SlowState): unknown[] => sorted(state);

const OUTCOMES: Readonly<Record<string, SlowOutcome>> = {
  'pdu-accepted': 'accepted',
  'pdu-soft-failed': 'soft-failed',
  'pdu-rejected': 'rejected',
};

/**
 * A server with its own log, views and workers. Whatever comes into its log is held against the slow reference, which sees the same
 * events in the same order, and against `annals verify`.
 */
export class RealServer {
  readonly slow: SlowRoom;
  /** The PDUs that it has, as they were signed. */
  readonly texts = new Map<EventId, string>();
  #commands: RoomCommands;
  readonly #keys;
  readonly #verifier: RoomVerifier;
  #extremities: readonly EventId[] = [];
  readonly #redacted = new Set<EventId>();
  #seen = 0;

  constructor(
    readonly self: ForeignServer,
    all: readonly ForeignServer[],
    readonly roomId: RoomId,
    readonly version: RoomVersion,
  ) {
    this.#keys = keysOf(...all);
    this.slow = new SlowRoom(version);
    this.#commands = this.#start(new RoomViews(new MemoryEventStore()));
    this.#verifier = new RoomVerifier(roomId, (name, keyId) => this.#keys.find(name as ServerName, keyId)?.key);
  }

  /** Whether it has an event that is no outlier. */
  has(eventId: EventId): boolean {
    return this.slow.events.has(eventId);
  }

  get facts(): readonly RecordedFact[] {
    return this.#commands.log.facts.filter(({ stream }) => stream === roomStream(this.roomId));
  }

  get now(): number {
    return this.#commands.now;
  }

  set now(moment: number) {
    this.#commands.now = moment;
  }

  /** Begins with nothing in memory; the views are where they were. */
  restart(): void {
    const { views, now } = this.#commands;
    this.#commands = this.#start(views);
    this.#commands.now = now;
  }

  /** Lets the views come to the end of the log. */
  async follow(): Promise<void> {
    await this.#commands.views.follow();
  }

  async takeIn(origin: ServerName, create: string): Promise<void> {
    await this.#commands.execute(new TakeInRoom(origin, this.roomId, this.version, create));
    await this.check();
  }

  async receive(origin: ServerName, texts: readonly string[]): Promise<Receipt> {
    const receipt: Receipt = await this.#commands.execute(new ReceivePdus(origin, this.roomId, texts));
    await this.check();
    return receipt;
  }

  /** Sends an event of a user here; nothing where that is not allowed. */
  send(draft: EventDraft): Promise<void> {
    return this.#try(() =>
      this.#commands.workers.run(this.roomId, { actor: draft.sender }, (turn) => turn.send(draft)),
    );
  }

  redact(userId: UserId, target: EventId): Promise<void> {
    return this.#try(() => this.#commands.execute(new RedactEvent(requesterOf(userId), this.roomId, target, {})));
  }

  /** The extremities, and the current state, as the worker has them. */
  async extremities(): Promise<{ extremities: EventId[]; root: string }> {
    const { result } = await this.#commands.workers.run(this.roomId, { actor: 'test' }, async ({ head }) => head);
    return { extremities: result.extremities.map(({ eventId }) => eventId), root: result.state.rootHash };
  }

  /** The rows of all views, and those that views made anew from the log have. */
  async rows(): Promise<{ lived: unknown[]; anew: unknown[] }> {
    const views = await this.#commands.views.follow();
    return { lived: await rowsOf(views), anew: await rowsOf(await new RoomViews(this.#commands.log).follow()) };
  }

  /** The root of the state after each event, as the graph of the views has it. */
  async roots(eventIds: readonly EventId[]): Promise<string[]> {
    const { result } = await this.#commands.workers.run(this.roomId, { actor: 'test' }, async ({ known }) => {
      const roots: string[] = [];
      for (const eventId of eventIds) roots.push((await known.stateAfter(eventId)).rootHash);
      return roots;
    });
    return result;
  }

  /** Holds what is new in the log against the reference. */
  async check(): Promise<void> {
    const fresh: EventId[] = [];
    for (const fact of this.facts.slice(this.#seen)) {
      this.#seen++;
      expect(this.#verifier.check(fact)).toEqual([]);
      if (fact.type === 'pdu-redacted') this.#redacted.add((JSON.parse(fact.data) as PduRedacted).event_id);
      const outcome = OUTCOMES[fact.type];
      if (outcome === undefined) continue;
      const event = roomEventOfFact(this.roomId, fact);
      fresh.push(event.eventId);
      this.texts.set(event.eventId, pduTextOf(fact.data));
      expect({ [event.eventId]: outcome }).toEqual({ [event.eventId]: this.slow.receive(event) });
      if (outcome !== 'accepted') continue;
      this.#extremities = extremitiesAfter(this.#extremities, JSON.parse(fact.data) as PduAccepted);
      expect(sorted(this.#extremities)).toEqual(sorted(this.slow.extremities()));
    }
    expect(this.#verifier.end()).toEqual([]);
    if (fresh.length === 0) return;
    const { slow } = this;
    await this.#commands.workers.run(this.roomId, { actor: 'test' }, async ({ head, known }) => {
      for (const eventId of fresh) {
        expect(entriesOf(await known.stateAfter(eventId))).toEqual(slowEntriesOf(slow.stateAfter(eventId)));
      }
      expect(entriesOf(head.state)).toEqual(slowEntriesOf(slow.current()));
    });
    expect(sorted(this.#redacted)).toEqual(sorted(slow.redacted()));
  }

  #start(views: RoomViews): RoomCommands {
    const { name: serverName, signingKey } = this.self;
    return new RoomCommands(views, { serverName, signingKey }, this.#keys);
  }

  async #try(act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error;
    }
    await this.check();
  }
}

async function rowsOf(views: RoomViews): Promise<unknown[]> {
  const rows: unknown[] = [];
  for (const collection of roomProjectors().flatMap(({ collections }) => collections)) {
    for (const { key, value } of await views.scan(collection, { prefix: [], limit: Infinity }))
      rows.push([collection, key, value]);
  }
  return rows;
}
