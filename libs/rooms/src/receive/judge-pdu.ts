import type { EventId } from '#kernel/ids';
import { visibilityChangeOf } from '#protocol/message-visibility';
import type { Pdu, RoomEvent } from '#protocol/room-event';
import type { Rejection } from '#protocol/state-resolution/events-by-id';
import { stickinessOf } from '#protocol/stickiness';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import { type DueRedaction, tellModeration } from '../decide/decide-event.js';
import { stateAfterEvent, tellHeldBefore } from '../decide/room-state.js';
import { tellExtremities } from '../facts/told-extremities.js';
import { type HistoryVisibility, historyVisibilityOf } from '../facts/room-facts.js';
import { dropAltered, isAllThereIs } from './altered-copy.js';
import { refuseByAuthEvents } from './4-check-auth-events.js';
import { authStateAt, findStateBefore, refuseByState, type StateBefore } from './5-check-state-before.js';
import { refuseByCurrentState } from './6-check-current-state.js';
import { isToBeAsked, policyOfPast, refuseByPolicy, refusePastByPolicy } from './7-check-policy.js';
import { bringsAnew } from './brings-anew.js';
import { findOwnEffect, findRedactionsOnPlacing } from './find-due-redactions.js';
import { getKnown, type KnownEvent, type KnownRoom } from './known-room.js';
import type { Accepted, Dropped, Outcome, PreparedPdu, Rejected, SoftFailed } from './outcome.js';
import { extremitiesBeside, refuseOneMore } from './extremities-beside.js';
import { withOtherRooms } from './of-other-rooms.js';
import { resolveStates } from './resolve-states.js';
import { isSuperseded } from './superseded.js';
import { carryPdus, tellCurrent, tellState, type ToldState } from './tell-change.js';

/** How an event comes in. */
export interface Arrival {
  /** It was fetched from the past: it takes its place there, and changes neither the room's extremities nor its current state. */
  readonly isHistory?: boolean;
  /** Nobody who was asked has more of it than this, where its content hash does not hold. */
  readonly takesAltered?: boolean;
  /** Its server gave it to this one to be part of the room: where it is accepted, this one sends it to all others (`handed_on`). */
  readonly isToHandOn?: boolean;
  /** The id of the transaction in which the server it came from sent it: what becomes of it names that as its cause (`causation`). */
  readonly transaction?: string;
  /** Events that it may name among its auth events and that are of other rooms. */
  readonly ofOtherRooms?: readonly Pdu[];
}

/** What the fact of an accepted event says of redactions. */
type EffectTold = Pick<Accepted['header'], 'takes_effect' | 'redacted_by'>;

/**
 * Steps 4 to 7 of the checks on receipt of a PDU, and all that is to be written of it. Server-server API, "Checks performed on
 * receipt of a PDU". The room is held meanwhile, and nothing waits for the network: what is missing is told, with nothing done.
 *
 * Where the policy of the room has a say and was not asked (`Unasked`), nothing is done either: whoever judges asks, and judges again.
 *
 * An event that was accepted, soft-failed or rejected is answered as known; an outlier is judged as if it were new. Throws an
 * Error only where what the room tells of itself does not agree.
 */
export async function judgePdu(pdu: PreparedPdu, room: KnownRoom, arrival: Arrival = {}): Promise<Outcome> {
  const { event } = pdu;
  const { eventId } = event;
  const here = await room.find([...new Set([eventId, ...event.authEvents, ...event.prevEvents])]);
  const known = withOtherRooms(here, event, arrival.ofOtherRooms ?? [], room);
  const outcome = known.get(eventId)?.outcome;
  if (outcome !== undefined && outcome !== 'outlier') return { kind: 'known', eventId, outcome };
  const foreign = dropOtherCreate(event, room);
  if (foreign !== undefined) return foreign;
  if (!(await isAllThereIs(pdu, arrival.takesAltered === true, room))) return dropAltered(pdu);
  const authEvents = findMissingAuth(event, known, room);
  const before = await findStateBefore(event, known, room);
  const parents = 'missing' in before ? before.missing : [];
  if (authEvents.length > 0 || 'missing' in before) {
    const beside = [...new Set(event.prevEvents)].filter((parent) => !parents.includes(parent));
    return { kind: 'missing', eventId, authEvents, parents, beside };
  }
  const judging = new Judging(pdu, known, before, room, arrival);
  const refusal = refuseByAuthEvents(event, known, room);
  if (refusal !== undefined) return judging.reject('auth-events', refusal);
  const refusalBefore = await refuseByState(event, before.state, known, room);
  if (refusalBefore !== undefined) return judging.reject('state', refusalBefore);
  const isHole = await room.isHole(eventId);
  const isPast = arrival.isHistory === true || isHole || isHeldAlready(event, room);
  if (isPast || (outcome === 'outlier' && (await isSuperseded(event, room)))) {
    const pastId = isPast && !isHeldAlready(event, room) ? policyOfPast(before, isHole, room) : undefined;
    if (isToBeAsked(event, pdu.verdict, pastId)) return { kind: 'unasked', eventId, policyId: pastId };
    const unwanted = pastId === undefined ? undefined : refusePastByPolicy(pdu.verdict);
    return unwanted === undefined ? judging.acceptHistory(isHole) : judging.softFail(unwanted);
  }
  const isAnew = await bringsAnew(event, before, room);
  const byNow = isAnew ? undefined : await refuseByCurrentState(event, before, known, room);
  // What is sticky is looked at again where the state of the room was against it, and the policy is not.
  const isPolicysTurn = byNow === undefined || stickinessOf(event.pdu, event.originServerTs) !== undefined;
  const { policyId } = room;
  if (isPolicysTurn && isToBeAsked(event, pdu.verdict, policyId)) return { kind: 'unasked', eventId, policyId };
  const refusalNow = byNow ?? refuseByPolicy(pdu.verdict);
  return refusalNow === undefined ? judging.accept(isAnew) : judging.softFail(refusalNow);
}

/**
 * Whether the current state holds an event already, because it was told as part of a state: then it is no news, and what came after it is
 * not put beside it as another branch.
 */
function isHeldAlready({ type, stateKey, eventId }: RoomEvent, { extremities, state }: KnownRoom): boolean {
  return extremities.length > 0 && stateKey !== undefined && state.get(type, stateKey) === eventId;
}

/** A room has one create event: another one would begin another room under the same id. */
export function dropOtherCreate({ type, eventId }: RoomEvent, { createEvent }: KnownRoom): Dropped | undefined {
  if (type !== 'm.room.create' || createEvent === undefined || createEvent.eventId === eventId) return undefined;
  return { kind: 'dropped', reason: 'The room has another create event', wantedKeys: [] };
}

/** The events that an event's authorisation rests on and that are not here. */
export function findMissingAuth(
  { type, roomId, authEvents }: RoomEvent,
  known: ReadonlyMap<EventId, unknown>,
  { version, createEvent }: KnownRoom,
): EventId[] {
  const missing = [...new Set(authEvents)].filter((eventId) => !known.has(eventId));
  // Where the room id is the create event's hash, nobody names it.
  const isCreateMissing = version.roomIdIsCreateHash && createEvent === undefined && type !== 'm.room.create';
  return isCreateMissing ? [...missing, `$${roomId.slice(1)}` as EventId] : missing;
}

/** An event whose place is known, on its way to one of its outcomes. */
class Judging {
  readonly #event: RoomEvent;

  constructor(
    private readonly pdu: PreparedPdu,
    private readonly known: ReadonlyMap<EventId, KnownEvent>,
    private readonly before: StateBefore,
    private readonly room: KnownRoom,
    private readonly arrival: Arrival,
  ) {
    this.#event = pdu.event;
  }

  async reject(check: Rejection, reason: string): Promise<Rejected | Dropped> {
    if (this.pdu.isAltered === true) return dropAltered(this.pdu, reason);
    const { state } = this.before;
    const told = await tellState(this.#event, state, this.before.bases);
    const header = { ...(await this.#header(told)), reason, check };
    const redactions = await this.#redactionsOfIt();
    return { kind: 'rejected', ...this.#judged(state), redactions, header };
  }

  async softFail(reason: string): Promise<SoftFailed> {
    const state = this.#stateAfter();
    // What the policy does not want is not looked at again.
    const unwanted = this.pdu.verdict?.isAllowed === false ? { unwanted: true as const } : {};
    const header = { ...(await this.#header(await this.#tellAllowed(state))), ...unwanted, reason };
    const redactions = await this.#redactionsOfIt();
    return { kind: 'soft-failed', ...this.#judged(state), redactions, header };
  }

  /** `isHole`: an event that is here stands on it. */
  async acceptHistory(isHole: boolean): Promise<Accepted> {
    const { room } = this;
    const state = this.#stateAfter();
    const told = await this.#tellAllowed(state);
    const before = room.extremities.map(({ eventId }) => eventId);
    const extremities = isHole ? await this.#extremitiesAfterFilling() : before;
    const { redactions, effect } = await this.#redactions();
    const header = {
      ...(await this.#header(told)),
      history: true as const,
      ...tellExtremities(before, extremities),
      ...effect,
      ...(await this.#moderation()),
    };
    return {
      kind: 'accepted',
      ...this.#judged(state),
      redactions,
      header,
      current: room.state,
      open: extremities.length,
    };
  }

  /** `isAnew`: `bringsAnew`. */
  async accept(isAnew: boolean): Promise<Accepted | SoftFailed> {
    const { room } = this;
    const beside = isAnew ? [] : await extremitiesBeside(this.#event, this.known, room);
    const refusal = refuseOneMore(beside, room);
    if (refusal !== undefined) return this.softFail(refusal);
    const state = this.#stateAfter();
    const told = await this.#tellAllowed(state);
    const current = await this.#resolveCurrent(state, beside);
    // Part of a state or of an auth chain that was told before, and less than what is here: no news.
    if (!isAnew && this.#isOfToldState() && current.rootHash === room.state.rootHash) return this.acceptHistory(false);
    const extremities = [...beside.map(({ eventId }) => eventId), this.#event.eventId];
    const before = room.extremities.map(({ eventId }) => eventId);
    const toldCurrent = await tellCurrent(room.state, current, told);
    const changes = (toldCurrent.current ?? told.header).state;
    const { redactions, effect } = await this.#redactions();
    const header = {
      ...(await this.#header(told)),
      ...tellExtremities(before, extremities),
      ...toldCurrent,
      ...effect,
      ...(await this.#moderation()),
      ...(this.arrival.isToHandOn === true ? { handed_on: true as const } : {}),
      ...(isAnew ? { anew: true as const } : {}),
      ...(await carryPdus(this.#event, changes, room)),
    };
    return {
      kind: 'accepted',
      ...this.#judged(state),
      redactions,
      header,
      current,
      open: extremities.length,
    };
  }

  #isOfToldState(): boolean {
    const { eventId, stateKey } = this.#event;
    return stateKey !== undefined && this.known.get(eventId)?.outcome === 'outlier';
  }

  /**
   * Where an event fills a gap, what stood on it stands on the extremities before the gap too, by way of it. They are none any more, where
   * the current state does not rest on them: else that would change by what is no news. Then an event of ours brings them together.
   */
  async #extremitiesAfterFilling(): Promise<EventId[]> {
    const { room } = this;
    const beside = await extremitiesBeside(this.#event, this.known, room);
    const isLess = beside.length > 0 && beside.length < room.extremities.length;
    const states = isLess ? await this.#statesAfter(beside) : [];
    const isSame = isLess && (await resolveStates(states, room)).rootHash === room.state.rootHash;
    return (isSame ? beside : room.extremities).map(({ eventId }) => eventId);
  }

  #stateAfter(): StateTrie {
    return stateAfterEvent(this.before.state, this.#event, this.room.version);
  }

  /** The state after an event that took its place in it. */
  async #tellAllowed(state: StateTrie): Promise<ToldState> {
    const { header, from } = await tellState(this.#event, state, this.before.bases);
    return { header: { ...header, ...tellHeldBefore(this.#event, from, this.before.state) }, from };
  }

  async #resolveCurrent(after: StateTrie, beside: KnownRoom['extremities']): Promise<StateTrie> {
    const others = await this.#statesAfter(beside.filter(({ root }) => root !== after.rootHash));
    return resolveStates([after, ...others], this.room, this.#event);
  }

  /** The states after some extremities. */
  async #statesAfter(extremities: KnownRoom['extremities']): Promise<StateTrie[]> {
    const states: StateTrie[] = [];
    for (const { eventId } of extremities) states.push(await this.room.stateAfter(eventId));
    return states;
  }

  /** What is redacted with the event. Its own fact says so too: views, and a client's token, may stand right behind it. */
  async #redactions(): Promise<Pick<Accepted, 'redactions'> & { readonly effect: EffectTold }> {
    const own = await findOwnEffect(this.#event, this.before.state, this.room);
    const waiting = await this.#redactionsOfIt();
    // What was done here alone is told by no event.
    const first = waiting.find(({ effect: { ordered } }) => ordered === undefined);
    const effect: EffectTold = {
      ...(own.length > 0 ? { takes_effect: true } : {}),
      ...(first === undefined ? {} : { redacted_by: first.effect.redacted_by }),
    };
    return { redactions: [...own, ...waiting], effect };
  }

  #redactionsOfIt(): Promise<readonly DueRedaction[]> {
    return findRedactionsOnPlacing(this.#event, this.known.get(this.#event.eventId), this.room);
  }

  async #moderation(): Promise<Pick<Accepted['header'], 'moderates'>> {
    const event = this.#event;
    if (visibilityChangeOf(event) === undefined) return {};
    return tellModeration(event, await authStateAt(event, this.before.state, this.known, this.room), this.room.version);
  }

  #judged(state: StateTrie) {
    return { event: this.#event, pduText: this.pdu.pduText, state };
  }

  async #header({ header }: ToldState) {
    return {
      event_id: this.#event.eventId,
      room_version: this.room.version.id,
      ...header,
      visibility: await this.#visibilityBefore(),
      origin: this.pdu.origin,
    };
  }

  /** That of the state before the event: it decides who may see the event, by whatever way they ask. */
  async #visibilityBefore(): Promise<HistoryVisibility> {
    const { room } = this;
    const eventId = this.before.state.get('m.room.history_visibility', '');
    if (eventId === room.state.get('m.room.history_visibility', '')) return room.visibility;
    if (eventId === undefined) return historyVisibilityOf({});
    return historyVisibilityOf(getKnown(await room.find([eventId]), eventId).event.content);
  }
}
