import type { EventStore, RecordedFact } from '#event-store/event-store';
import { sealFacts } from '#event-store/seal-facts';
import type { EventId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { selectAuthTypes } from '#protocol/event-auth/select-auth-types';
import { parseRoomEvent } from '#protocol/parse-room-event';
import { redact } from '#protocol/redaction/redact';
import type { RoomEvent } from '#protocol/room-event';
import { resolveState } from '#protocol/state-resolution/resolve-state';
import { StateTrie } from '#protocol/state-trie/state-trie';
import { changedBy, changesBetween, stateAfterEvent, tellHeldBefore } from '#rooms/decide/room-state';
import { readRoomFact } from '#rooms/facts/read-room-fact';
import { type HistoryVisibility, historyVisibilityOf, type PduWithState, roomStream } from '#rooms/facts/room-facts';
import { extremitiesAfter } from '#rooms/facts/told-extremities';
import { erasablePlaceIn, factWithPdu, pduTextOf } from '#rooms/facts/fact-text';
import type { LocalRoom } from './local-room.js';
import { ForeignServer } from './receiving/foreign-server.js';

/** A server that others' events come from. */
export const OTHER_SERVER = new ForeignServer('b.example', 9);

/** What another server's user says, standing on some events of the room. */
export interface ForeignEvent {
  readonly sender: UserId;
  readonly type: string;
  readonly stateKey?: string;
  readonly content: JsonObject;
  readonly prevEvents: readonly EventId[];
  /** What it claims as its depth; else the one that it has. */
  readonly depth?: number;
}

/**
 * Writes events of another server into a room's stream as a server would that had received them: all computed in the plainest
 * way, from whole states. Only for what is allowed.
 */
export class ForkedRoom {
  readonly #events = new Map<EventId, RoomEvent>();
  readonly #after = new Map<EventId, StateTrie>();
  readonly #texts = new Map<EventId, string>();
  #facts = 0;
  #isOutlierFirst = false;
  #chain: string | undefined;
  #current: StateTrie | undefined;
  #extremities: readonly EventId[] = [];
  #now = 1_700_000_500_000;

  constructor(
    private readonly store: EventStore,
    private readonly room: Pick<LocalRoom, 'roomId' | 'version'>,
  ) {}

  /** The forward extremities now. */
  async extremities(): Promise<readonly EventId[]> {
    await this.#catchUp();
    return this.#extremities;
  }

  /** Lets a user of the other server join, who has heard of everything. */
  async join(userId: UserId): Promise<RoomEvent> {
    const join = { sender: userId, type: 'm.room.member', stateKey: userId, content: { membership: 'join' } };
    return this.receive({ ...join, prevEvents: await this.extremities() });
  }

  /** Writes an event as accepted, soft-failed or rejected. */
  async receive(foreign: ForeignEvent, outcome = 'pdu-accepted', more: object = {}): Promise<RoomEvent> {
    await this.#catchUp();
    const { version } = this.room;
    const parents = foreign.prevEvents.map((id) => this.#after.get(id)!);
    const before = resolveState(parents, version, this);
    const event = this.#author(foreign, before);
    if (this.#isOutlierFirst) await this.#storeOutlier(event.eventId);
    const after = outcome === 'pdu-rejected' ? before : stateAfterEvent(before, event, version);
    const [first] = foreign.prevEvents;
    const fact: Omit<PduWithState, 'pdu'> = {
      event_id: event.eventId,
      room_version: version.id,
      state: changesBetween(this.#after.get(first!)!, after),
      ...tellHeldBefore(event, this.#after.get(first!)!, before),
      root: after.rootHash,
      visibility: this.#visibilityIn(before),
      origin: OTHER_SERVER.name,
      ...(outcome === 'pdu-accepted' ? this.#place(event, after) : {}),
      ...more,
    };
    await this.#append(outcome, factWithPdu(fact, this.#texts.get(event.eventId)!));
    return event;
  }

  /** Writes an event as an outlier alone. */
  async storeOutlier(foreign: ForeignEvent): Promise<RoomEvent> {
    await this.#catchUp();
    const parents = foreign.prevEvents.map((id) => this.#after.get(id)!);
    const event = this.#author(foreign, resolveState(parents, this.room.version, this));
    await this.#storeOutlier(event.eventId);
    return event;
  }

  /** Writes an event as an outlier, and then as accepted. */
  async receiveOutlierFirst(foreign: ForeignEvent): Promise<RoomEvent> {
    this.#isOutlierFirst = true;
    return this.receive(foreign);
  }

  /** Writes that a redaction took effect. */
  async redact({ eventId, pdu }: RoomEvent, redactedBy: EventId): Promise<void> {
    await this.#catchUp();
    const { version } = this.room;
    const header = { event_id: eventId, redacted_by: redactedBy, room_version: version.id };
    await this.#append('pdu-redacted', factWithPdu(header, canonicalJson(redact(pdu, version))));
  }

  /** Writes an event as one that was fetched from the past. */
  async fetch(foreign: ForeignEvent, more: object = {}): Promise<RoomEvent> {
    const extremities = await this.extremities();
    return this.receive(foreign, 'pdu-accepted', { history: true, extremities, current: undefined, ...more });
  }

  /** The state after an event. */
  stateAfter(eventId: EventId): StateTrie {
    return this.#after.get(eventId)!;
  }

  get(eventId: EventId): RoomEvent | undefined {
    return this.#events.get(eventId);
  }

  rejectionOf(): undefined {
    return undefined;
  }

  /** All facts of the room. */
  async facts(): Promise<RecordedFact[]> {
    const facts: RecordedFact[] = [];
    for await (const fact of this.store.readStream(roomStream(this.room.roomId))) facts.push(fact);
    return facts;
  }

  #visibilityIn(state: StateTrie): HistoryVisibility {
    const eventId = state.get('m.room.history_visibility', '');
    return historyVisibilityOf(eventId === undefined ? {} : this.#events.get(eventId)!.content);
  }

  #author({ prevEvents, depth, ...draft }: ForeignEvent, before: StateTrie): RoomEvent {
    const { version, roomId } = this.room;
    const { sender, type, stateKey, content } = draft;
    const auth = selectAuthTypes({ type, sender, stateKey, content }, version).flatMap((key) => {
      const id = before.get(key.type, key.stateKey);
      return id === undefined ? [] : [this.#events.get(id)!];
    });
    const place = {
      prev: prevEvents,
      auth: auth.map(({ eventId }) => eventId),
      depth: depth ?? Math.max(...prevEvents.map((id) => this.#events.get(id)!.depth)) + 1,
      ts: this.#now++,
    };
    const { event, text } = OTHER_SERVER.make(version, roomId, { ...draft, ...place });
    this.#texts.set(event.eventId, text);
    return event;
  }

  async #storeOutlier(eventId: EventId): Promise<void> {
    this.#isOutlierFirst = false;
    const header = { event_id: eventId, room_version: this.room.version.id, origin: OTHER_SERVER.name };
    await this.#append('outlier-stored', factWithPdu(header, this.#texts.get(eventId)!));
  }

  #place(event: RoomEvent, after: StateTrie): object {
    const current = this.#current!;
    const left = this.#extremities.filter((id) => !event.prevEvents.includes(id));
    const extremities = [...left, event.eventId];
    this.#events.set(event.eventId, event);
    const states = [...left.map((id) => this.#after.get(id)!), after];
    const resolved = resolveState(states, this.room.version, this);
    const state = changesBetween(current, resolved);
    const carried = state.flatMap(({ event_id: id }) => (id === null || id === event.eventId ? [] : [id]));
    return {
      extremities,
      current: { state, root: resolved.rootHash },
      ...(carried.length === 0
        ? {}
        : { state_pdus: Object.fromEntries(carried.map((id) => [id, this.#texts.get(id)])) }),
    };
  }

  async #catchUp(): Promise<void> {
    const { roomId, version } = this.room;
    for (const fact of (await this.facts()).slice(this.#facts)) {
      this.#facts++;
      this.#chain = fact.metadata.chain;
      const read = readRoomFact(roomId, fact);
      const body = JSON.parse(fact.data) as PduWithState;
      if (body.pdu === undefined || body.state === undefined || fact.type === 'pdu-redacted') continue;
      const event = parseRoomEvent(body.pdu, version, roomId);
      this.#events.set(event.eventId, event);
      this.#texts.set(event.eventId, pduTextOf(fact.data));
      const [first] = event.prevEvents;
      this.#after.set(event.eventId, changedBy((first && this.#after.get(first)) ?? StateTrie.empty, body.state));
      if (read.type !== 'pdu-accepted' || read.header.history === true) continue;
      this.#extremities = extremitiesAfter(this.#extremities, { ...read.header, event_id: event.eventId });
      this.#current = changedBy(this.#current ?? StateTrie.empty, (read.header.current ?? read.header).state);
    }
  }

  async #append(type: string, data: string): Promise<void> {
    const at = this.#now++;
    const erasable = erasablePlaceIn(type, data);
    const draft = { id: crypto.randomUUID(), type, data, erasable, at, actor: OTHER_SERVER.name };
    await this.store.append(roomStream(this.room.roomId), this.#facts - 1, sealFacts(this.#chain, [draft]));
    await this.#catchUp();
  }
}
