import { decisionId } from '#event-store/fact-id';
import type { UnsealedFact } from '#event-store/seal-facts';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Position } from '#kernel/position';
import { atOnce, each, type Steps } from '#kernel/steps';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { type AuthState, authStateOf } from '#protocol/event-auth/auth-state';
import { selectAuthTypes } from '#protocol/event-auth/select-auth-types';
import type { RoomEvent, StateKey } from '#protocol/room-event';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import {
  checkDraftAuth,
  decideEvent,
  type DecidedEvent,
  type DueRedaction,
  type EventDraft,
} from '../decide/decide-event.js';
import { headAfter, MOST_NAMED, movedBack, type RoomHead } from '../decide/room-head.js';
import { referenceWriter } from '../decide/write-references.js';
import { readRoomFact, roomEventOfFact, roomEventOfPdu, type RoomFact } from '../facts/read-room-fact.js';
import { type PduRedacted, roomStream } from '../facts/room-facts.js';
import { erasablePlaceIn, factWithPdu } from '../facts/fact-text.js';
import { type AppendedParts, type PlacedHeader, tellInParts, tellPlaced } from '../facts/told-in-parts.js';
import { decideAmongMany } from '../receive/decide-among-many.js';
import { getKnown } from '../receive/known-room.js';
import type { Accepted } from '../receive/outcome.js';
import { judgeOwn } from '../receive/judge-own.js';
import { Foresight, type ForeseenEvent, standingOf } from './ask-first.js';
import { HeldRoom } from './held-room.js';
import type { LiveRoom } from './live-room.js';
import { policyQuestionOf } from './policy-question.js';
import { readRevision } from './read-revisions.js';
import { rememberTransactions } from './remember-transactions.js';
import { transactionName } from './room-transactions.js';
import type { TurnServices } from './turn-services.js';
import { headAfterAccepted, withStatesOfExtremities } from './states-of-extremities.js';
import { Undurable } from './undurable.js';

/** Who and what caused the facts of a turn. */
export interface FactContext {
  readonly actor: string;
  readonly device?: string;
  /** The request of another server by which it came. */
  readonly causation?: string;
  readonly correlation?: string;
}

/** A fact decided and not yet in the log, and where the room stands once it is. */
export interface PendingFact {
  readonly draft: UnsealedFact;
  readonly fact: RoomFact;
  readonly head: RoomHead;
}

/** PERF: each event that is not in memory is a call to the log, which may be far away; the room waits meanwhile. */
const READS_AT_ONCE = 32;

/**
 * The right to append to one room, given to one task at a time by the room's worker. What a task appends is decided on top
 * of all before it and reaches the log in one write with its neighbours, all or nothing for each task.
 */
export class RoomTurn {
  readonly facts: PendingFact[] = [];
  /** What this turn decided, upon what those before it in the batch did. */
  readonly undurable: Undurable;
  #known: HeldRoom | undefined;
  /** The state when it began: what it decides may put out who is to be asked. */
  readonly #begun: StateTrie;
  readonly #foresight: Foresight | undefined;

  constructor(
    readonly room: LiveRoom,
    public head: RoomHead,
    before: Undurable,
    private readonly context: FactContext,
    private readonly services: TurnServices,
    /** The events of earlier runs of the task that the policy allows; left out where there is no policy. */
    allowed?: readonly ForeseenEvent[],
  ) {
    this.undurable = new Undurable(before);
    this.#begun = head.state;
    this.#foresight = allowed && Foresight.of(allowed, services.policy, head.state);
  }

  get roomId(): RoomId {
    return this.room.roomId;
  }

  /** The room as judging an event of another server asks for it. */
  get known(): HeldRoom {
    return (this.#known ??= new HeldRoom(this, this.services));
  }

  /** The event that holds a key of the state dictionary. */
  async findState(type: string, stateKey = ''): Promise<RoomEvent | undefined> {
    const eventId = this.head.state.get(type, stateKey) as EventId | undefined;
    return eventId === undefined ? undefined : this.#stateEvent(eventId);
  }

  /** The events that hold some keys of the state dictionary, as far as it has them. */
  async findStates(keys: readonly StateKey[]): Promise<RoomEvent[]> {
    const events: (RoomEvent | undefined)[] = [];
    for (let i = 0; i < keys.length; i += READS_AT_ONCE) {
      const some = keys.slice(i, i + READS_AT_ONCE);
      events.push(...(await Promise.all(some.map(({ type, stateKey }) => this.findState(type, stateKey)))));
    }
    return events.filter((event) => event !== undefined);
  }

  /** The room's power levels, in the form that the functions of `#protocol/event-auth/power-levels` take. */
  async powerLevels(): Promise<AuthState> {
    return authStateOf(await this.findStates([{ type: 'm.room.power_levels', stateKey: '' }]), this.head.createEvent);
  }

  /** A user's membership; undefined where the room never heard of the user. */
  async findMembership(userId: UserId): Promise<string | undefined> {
    const member = await this.findState('m.room.member', userId);
    return member?.content['membership'] as string | undefined;
  }

  /** The event that a fact of this room is about or, where one is named, that one, which the fact may carry beside it. */
  async eventAt(revision: number, eventId?: EventId): Promise<RoomEvent> {
    return roomEventOfFact(this.roomId, await readRevision(this.services.store, this.roomId, revision), eventId);
  }

  /**
   * The event of a transaction (`transactionName`) that any fact of this room carries, whoever wrote it. The caller has looked
   * in the views first: `viewed` is where they stood before, undefined where they did not answer (then what is older than the last
   * thousand facts of the room is not found).
   */
  async findTransaction(name: string, viewed: Position | undefined): Promise<EventId | undefined> {
    const reading = rememberTransactions(this.room, this.services.store, viewed);
    if (reading !== undefined) await reading;
    return this.undurable.findTransaction(name) ?? this.room.transactions.find(name);
  }

  /**
   * The facts of the room that the views had not passed at `viewed`, newest first: only where this process has read some of
   * them in the log, for of those it decides itself it has waited until the views showed them.
   */
  async *readAfter(viewed: Position): AsyncIterable<RoomFact> {
    if (this.room.readUpTo <= viewed) return;
    for await (const fact of this.services.store.readStream(roomStream(this.roomId), { backwards: true })) {
      if (fact.position <= viewed) return;
      yield readRoomFact(this.roomId, fact);
    }
  }

  /** Throws M_FORBIDDEN where the rules of the room, as it stands, do not let the draft's sender send it. */
  async authorise(draft: EventDraft): Promise<void> {
    const auth = await this.findStates(selectAuthTypes(draft, this.head.version));
    checkDraftAuth(this.roomId, this.head, draft, auth, this.services.author);
  }

  /** Decides an event and accepts it into the room. Throws as `decideEvent` does; then nothing has changed. */
  async send(draft: EventDraft): Promise<RoomEvent> {
    return this.accept(await this.decide(draft));
  }

  /** What `send` would accept now. Only `accept` on the same head makes it part of the room. */
  async decide(draft: EventDraft): Promise<DecidedEvent> {
    const allowed = this.#foresight?.take(draft);
    if (allowed !== undefined) return this.#decideAgain(allowed, draft);
    const decided = await this.#decideAnew(draft);
    this.#foresight?.noteDecided(draft, this.head, decided);
    return decided;
  }

  /** Ends a turn of whose events the policy was not asked: then nothing of it is appended (`askFirst`). */
  async requireAsked(): Promise<void> {
    if (this.#foresight?.isAsked !== false) return;
    this.#foresight.requireAsked(await policyQuestionOf(this, this.#foresight.policyId, this.#begun));
  }

  /** An event that was decided and leaves this server before it is part of the room: of it the policy is asked as of what is accepted. */
  offer({ event, ...decided }: DecidedEvent): RoomEvent {
    this.#foresight?.noteAccepted({ event, ...decided });
    return this.#foresight?.findSigned(event.eventId)?.event ?? event;
  }

  /** An event that was decided before, and may not change any more: where the room has gone on, it stands on the past. */
  async #decideAgain({ decided, standing }: ForeseenEvent, { txn }: EventDraft): Promise<DecidedEvent> {
    const { event, pduText, header } = decided;
    if (standing === standingOf(this.head)) {
      return { ...decided, head: headAfter(this.head, { type: 'pdu-accepted', event, header }) };
    }
    const judged = await judgeOwn({ event, pduText, origin: this.services.author.serverName, txn }, this.known);
    return this.#asDecided(judged);
  }

  #asDecided(accepted: Accepted): DecidedEvent {
    const { event, header, pduText, redactions } = accepted;
    return { event, header, pduText, redactions, head: headAfterAccepted(this.head, accepted) };
  }

  async #decideAnew(draft: EventDraft): Promise<DecidedEvent> {
    const { author, clock } = this.services;
    const extremities = this.head.extremities.length;
    if (extremities > 1) this.head = await withStatesOfExtremities(this.head, this.known);
    if (extremities > MOST_NAMED) {
      return this.#asDecided(await decideAmongMany(this.known, draft, author, clock.now()));
    }
    const auth = await this.findStates(selectAuthTypes(draft, this.head.version));
    const write = referenceWriter(this.head.version, await this.#referredTo(auth));
    return decideEvent(this.roomId, this.head, draft, { auth, write }, author, clock.now());
  }

  /** Accepts an event decided elsewhere on top of this turn's head, with what redactions do then. */
  accept(unsigned: DecidedEvent): RoomEvent {
    const { eventId } = unsigned.event;
    this.#foresight?.noteAccepted(unsigned);
    const decided = { ...unsigned, ...this.#foresight?.findSigned(eventId) };
    const { event } = decided;
    const parts = atOnce(this.appendParts(decided.header));
    const { data, header } = tellPlaced(decided.header, decided.pduText, parts);
    const head = movedBack(decided.head, eventId, parts?.parts.length ?? 0);
    const after = head.extremities.find((one) => one.eventId === eventId)?.state;
    this.undurable.note({ event, outcome: 'accepted', after, isForeign: false });
    if (header.txn !== undefined) this.undurable.transactions.set(transactionName(event, header.txn), eventId);
    const fact: RoomFact = { type: 'pdu-accepted', event, header };
    this.push('pdu-accepted', data, eventId, fact, head);
    this.redactAll(decided.redactions ?? []);
    return event;
  }

  /**
   * Appends what is told of an event and too large for its own fact, as parts that stand before it; undefined where nothing is. In steps,
   * for it may be as much as all of a room.
   */
  *appendParts(header: PlacedHeader): Steps<AppendedParts | undefined> {
    const told = yield* tellInParts(header);
    if (told === undefined) return undefined;
    const first = this.head.revision + 1;
    yield* each(told.parts, (part) => this.append('change-told', part), 1);
    return { ...told, first };
  }

  /** Lets a redaction of this room take effect on an event of this room. `remains` is what is left of it. */
  redact(redacted: Omit<PduRedacted, 'pdu'>, remains: JsonObject): void {
    const { event_id: eventId } = redacted;
    // Whoever decides next must not go by what is no longer there.
    this.undurable.redacted.set(eventId, roomEventOfPdu(this.roomId, eventId, remains, this.head.version));
    this.push(
      'pdu-redacted',
      factWithPdu(redacted, canonicalJson(remains, { lenient: !this.head.version.strictCanonicalJson })),
      `redacted ${redacted.event_id} ${redacted.redacted_by}`,
      { type: 'pdu-redacted', eventId },
    );
  }

  /** Lets redactions take effect that are due. */
  redactAll(redactions: readonly DueRedaction[]): void {
    const lenient = !this.head.version.strictCanonicalJson;
    for (const { effect, pduText } of redactions) this.redact(effect, parseJson(pduText, { lenient }) as JsonObject);
  }

  /** Appends a fact that does not concern the event graph. */
  append(type: string, data: object): void {
    const text = JSON.stringify(data);
    this.push(type, text, `${this.roomId} ${this.head.revision + 1} ${type} ${text}`, { type: 'other' });
  }

  /**
   * Appends a fact that was decided on this turn's head, and of which `undurable` knows. `name` says what the fact is about: its id is
   * made of that and of the decision (`decisionId`). `head` is where the room stands after it.
   */
  push(type: string, data: string, name: string, fact: RoomFact, head: RoomHead = headAfter(this.head, fact)): void {
    const decision = { at: this.services.clock.now(), ...this.context };
    // What a redaction takes away of the event must be able to go.
    const erasable = erasablePlaceIn(type, data);
    const draft = { id: decisionId(name, decision), type, data, erasable, schema: 1, ...decision };
    this.facts.push({ draft, fact, head });
    this.head = head;
  }

  /** The events that a new one refers to, where its room version names them together with their hashes. */
  async #referredTo(auth: readonly RoomEvent[]): Promise<Map<EventId, RoomEvent>> {
    const { head } = this;
    const known = new Map<EventId, RoomEvent>();
    if (head.version.references === 'ids') return known;
    for (const event of auth) known.set(event.eventId, event);
    for (const { eventId, revision } of head.extremities) {
      known.set(eventId, this.undurable.findEvent(eventId) ?? (await this.eventAt(revision)));
    }
    return known;
  }

  async #stateEvent(eventId: EventId): Promise<RoomEvent> {
    const known = this.undurable.findEvent(eventId) ?? this.room.events.get(eventId);
    if (known !== undefined) return known;
    const revision = this.room.stateRevisions.get(eventId);
    // What a fact of this batch brought back into the state.
    if (revision === undefined) return getKnown(await this.known.find([eventId]), eventId).event;
    const event = await this.eventAt(revision, eventId);
    this.room.events.set(eventId, event);
    return event;
  }
}
