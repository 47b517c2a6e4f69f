import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { parseRoomEvent } from '#protocol/parse-room-event';
import { parseJson } from '#protocol/canonical-json/parse-json';
import type { Pdu, RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { StateTrie } from '#protocol/state-trie/state-trie';
import { ownKey } from '#rooms/commands/own-key';
import type { DueRedaction, EventAuthor } from '#rooms/decide/decide-event';
import { changedBy } from '#rooms/decide/room-state';
import {
  currentChangeOf,
  type HistoryVisibility,
  historyVisibilityOf,
  type PduWithState,
} from '#rooms/facts/room-facts';
import { factWithPdu } from '#rooms/facts/fact-text';
import { extremitiesAfter } from '#rooms/facts/told-extremities';
import { allowAll, type Policy } from '#rooms/room-policy';
import { judgeOutlier } from '#rooms/receive/judge-outlier';
import { type Arrival, judgePdu } from '#rooms/receive/judge-pdu';
import {
  type KnownEvent,
  type KnownExtremity,
  knownOutlier,
  knownPlaced,
  type KnownRoom,
} from '#rooms/receive/known-room';
import { type LearnedState, learnState, type ToldStateBefore } from '#rooms/receive/learn-state';
import type { Outcome, StoredOutlier } from '#rooms/receive/outcome';
import { type Preparation, preparePdu } from '#rooms/receive/prepare-pdu';
import type { ServerKeys } from '#rooms/server-keys';
import type { ForeignServer } from './foreign-server.js';

/** The keys of some servers, valid for ever. */
export function keysOf(...servers: readonly ForeignServer[]): ServerKeys {
  const keys = new Map(servers.map(({ name, signingKey, verifyKey }) => [`${name} ${signingKey.keyId}`, verifyKey]));
  return {
    find: (name, keyId) => {
      const key = keys.get(`${name} ${keyId}`);
      return key === undefined ? undefined : { key, validUntil: Infinity, isOld: false };
    },
  };
}

/** The keys that a server knows: its own, and those of some others. */
export function keysKnownTo(author: EventAuthor, ...servers: readonly ForeignServer[]): ServerKeys {
  const own = ownKey(author);
  const others = keysOf(...servers);
  return { find: (name, keyId) => own.find(name, keyId) ?? others.find(name, keyId) };
}

/** A room in memory that folds the facts of what it receives, as the write side does; it trusts nothing but those. */
export class MemoryRoom implements KnownRoom {
  createEvent: RoomEvent | undefined;
  state = StateTrie.empty;
  visibility: HistoryVisibility = 'shared';
  extremities: readonly KnownExtremity[] = [];
  readonly known = new Map<EventId, KnownEvent>();
  readonly learnt = new Map<EventId, StateTrie>();
  /** What a server writes of all this, in order. */
  readonly facts: { readonly type: string; readonly data: string }[] = [];
  readonly #after = new Map<EventId, StateTrie>();
  readonly #holes = new Set<EventId>();
  readonly #redactions = new Map<EventId, RoomEvent[]>();

  constructor(
    readonly roomId: RoomId,
    readonly version: RoomVersion,
    private readonly keys: ServerKeys,
    private readonly policy: Policy = allowAll,
  ) {}

  find(eventIds: readonly EventId[]): Promise<ReadonlyMap<EventId, KnownEvent>> {
    const found = new Map<EventId, KnownEvent>();
    for (const eventId of eventIds) {
      const one = this.known.get(eventId);
      if (one !== undefined) found.set(eventId, one);
    }
    return Promise.resolve(found);
  }

  stateAfter(eventId: EventId): Promise<StateTrie> {
    return Promise.resolve(this.after(eventId));
  }

  findLearntState(eventId: EventId): Promise<StateTrie | undefined> {
    return Promise.resolve(this.learnt.get(eventId));
  }

  isHole(eventId: EventId): Promise<boolean> {
    return Promise.resolve(this.#holes.has(eventId));
  }

  findRedactionsOf(eventId: EventId): Promise<readonly RoomEvent[]> {
    return Promise.resolve(this.#redactions.get(eventId) ?? []);
  }

  after(eventId: EventId): StateTrie {
    const state = this.#after.get(eventId);
    if (state === undefined) throw new Error(`the state after ${eventId} is not known`);
    return state;
  }

  /** How a PDU comes into this room from a server. */
  preparation(origin = 'other.example' as ServerName): Preparation {
    const { roomId, version, keys } = this;
    return { roomId, version, origin, keys };
  }

  /** Receives a PDU by its bytes. */
  async receive(input: string | Pdu, arrival?: Arrival): Promise<Outcome> {
    const prepared = await preparePdu(input, this.preparation());
    if (prepared.kind === 'dropped') return prepared;
    const question = { isOwn: false, version: this.version, policyEvent: undefined, isThere: false };
    const verdict = await this.policy(prepared.event, question);
    const outcome = await judgePdu({ ...prepared, verdict }, this, arrival);
    this.apply(outcome);
    return outcome;
  }

  /** Receives a PDU as part of an auth chain or of a state. */
  async receiveOutlier(
    input: string,
    ofOtherRooms: readonly Pdu[] = [],
  ): Promise<Awaited<ReturnType<typeof judgeOutlier>>> {
    const prepared = await preparePdu(input, this.preparation());
    if (prepared.kind === 'dropped') return prepared;
    const outcome = await judgeOutlier(prepared, this, ofOtherRooms);
    if (outcome.kind === 'outlier') this.#applyOutlier(outcome);
    return outcome;
  }

  /** Learns the state before an event. */
  async learn(
    eventId: EventId,
    stateEvents: ToldStateBefore['stateEvents'],
  ): Promise<Awaited<ReturnType<typeof learnState>>> {
    const learned = await learnState({ eventId, origin: 'other.example' as ServerName, stateEvents }, this);
    if (learned.kind === 'learnt') this.#applyLearned(eventId, learned);
    return learned;
  }

  /** Folds what an outcome says is to be written. Throws where it contradicts itself. */
  apply(outcome: Outcome): void {
    if (outcome.kind !== 'accepted' && outcome.kind !== 'soft-failed' && outcome.kind !== 'rejected') return;
    const { event, header, kind, pduText } = outcome;
    this.facts.push({ type: `pdu-${kind}`, data: factWithPdu(header, pduText) });
    const { eventId } = event;
    const state = this.#fold(event, header);
    this.#after.set(eventId, state);
    if (header.root !== outcome.state.rootHash) throw new Error(`${eventId}: the outcome's state is another`);
    this.known.set(eventId, knownPlaced(event, kind, header));
    if (outcome.kind === 'accepted') this.#applyAccepted(outcome);
    outcome.redactions.forEach((redaction) => this.#redact(redaction));
  }

  #fold(event: RoomEvent, { base = event.prevEvents[0], state: changes, root }: Omit<PduWithState, 'pdu'>): StateTrie {
    const from = this.#baseState(base);
    for (const { type, state_key: key, replaces } of changes) {
      if (from.get(type, key) !== replaces) throw new Error(`${event.eventId}: ${type} replaces something else`);
    }
    const state = changedBy(from, changes);
    if (state.rootHash !== root) throw new Error(`${event.eventId}: the change does not lead to its root`);
    return state;
  }

  #baseState(base: PduWithState['base']): StateTrie {
    if (base === undefined) return StateTrie.empty;
    return typeof base === 'string' ? this.after(base) : (this.learnt.get(base.learnt) as StateTrie);
  }

  #applyAccepted({ event, header, current }: Extract<Outcome, { kind: 'accepted' }>): void {
    if (event.type === 'm.room.create') this.createEvent = event;
    for (const eventId of event.prevEvents) {
      if ((this.known.get(eventId)?.outcome ?? 'outlier') === 'outlier') this.#holes.add(eventId);
    }
    this.#holes.delete(event.eventId);
    if (event.redacts !== undefined) {
      this.#redactions.set(event.redacts, [...(this.#redactions.get(event.redacts) ?? []), event]);
    }
    const before = this.extremities.map(({ eventId }) => eventId);
    this.extremities = extremitiesAfter(before, header).map((eventId) => ({
      eventId,
      root: this.after(eventId).rootHash,
    }));
    const change = currentChangeOf(header);
    if (change === undefined) return;
    for (const { event_id: eventId } of change.state) {
      const isCarried = eventId === null || eventId === event.eventId || header.state_pdus?.[eventId] !== undefined;
      if (!isCarried) throw new Error(`${event.eventId}: ${eventId} becomes current and is not carried`);
    }
    this.state = changedBy(this.state, change.state);
    if (this.state.rootHash !== change.root || current.rootHash !== change.root) {
      throw new Error(`${event.eventId}: the current state is another`);
    }
    const visible = this.state.get('m.room.history_visibility', '');
    this.visibility = historyVisibilityOf(visible === undefined ? {} : (this.known.get(visible)?.event.content ?? {}));
  }

  #applyOutlier({ event, header, pduText, redactions }: StoredOutlier): void {
    this.facts.push({ type: 'outlier-stored', data: factWithPdu(header, pduText) });
    this.known.set(event.eventId, knownOutlier(event, header.reason !== undefined));
    if (event.type === 'm.room.create' && header.reason === undefined) this.createEvent = event;
    redactions.forEach((redaction) => this.#redact(redaction));
  }

  #applyLearned(eventId: EventId, { parts, state }: LearnedState): void {
    for (const part of parts) this.facts.push({ type: 'state-learnt', data: JSON.stringify(part) });
    const entries = parts.flatMap((part) => part.state);
    let told = StateTrie.empty;
    for (const [type, stateKey, id] of entries) told = told.set(type, stateKey, id);
    if (told.rootHash !== state.rootHash) throw new Error('the parts tell another state');
    this.learnt.set(eventId, told);
  }

  #redact({ effect, pduText }: DueRedaction): void {
    const { event_id: eventId } = effect;
    this.facts.push({ type: 'pdu-redacted', data: factWithPdu(effect, pduText) });
    const one = this.known.get(eventId);
    if (one === undefined) throw new Error(`${eventId} is redacted and not there`);
    const pdu = parseJson(pduText, { lenient: true }) as Pdu;
    const event = parseRoomEvent(pdu, this.version, this.roomId, { eventId, json: pduText });
    this.known.set(eventId, { ...one, event, isRedacted: true });
  }
}
