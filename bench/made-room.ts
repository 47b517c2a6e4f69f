import { randomBytes, randomUUID } from 'node:crypto';
import type { EventStore } from '#event-store/event-store';
import { sealFacts, type UnsealedFact } from '#event-store/seal-facts';
import type { EventId, RoomId } from '#kernel/ids';
import { StateTrie } from '#protocol/state-trie/state-trie';
import { type PduAccepted, roomStream } from '#rooms/facts/room-facts';

export interface MadeRoom {
  readonly roomId: RoomId;
  /** Every event, in the order of the log. */
  readonly events: readonly EventId[];
  /** How many of them are state events. */
  readonly stateEvents: number;
  readonly facts: number;
}

/** After so many state events one says something, and after so many one stands on an older event and was soft-failed. */
const STATE_PER_MESSAGE = 4;
const STATE_PER_FORK = 100;
const PER_APPEND = 1_000;

/**
 * Writes a room of so many members straight into a log: the facts as a worker would have written them, but neither decided nor
 * signed, so that a room of 80,000 takes seconds. A tenth of the members change their name later; now and then somebody speaks,
 * or an event comes late and is soft-failed.
 */
export async function makeRoom(store: EventStore, members: number): Promise<MadeRoom> {
  const maker = new RoomMaker(store, members);
  await maker.state('m.room.create', '', { room_version: '11' });
  await maker.state('m.room.power_levels', '', { users_default: 0 });
  for (let i = 0; i < members; i++) await maker.member(i, `Member ${i}`);
  for (let i = 0; i < members / 10; i++) await maker.member((i * 7) % members, `Renamed ${i}`);
  return maker.end();
}

class RoomMaker {
  readonly #roomId = `!${randomBytes(18).toString('base64url')}:bench.example` as RoomId;
  readonly #events: EventId[] = [];
  #stateEvents = 0;
  #trie = StateTrie.empty;
  #last: EventId | undefined;
  /** An event that later ones are to leave the others at, and the state after it. */
  #fork: { readonly eventId: EventId; readonly trie: StateTrie } | undefined;
  #waiting: UnsealedFact[] = [];
  #chain: string | undefined;
  #revision = -1;

  constructor(
    private readonly store: EventStore,
    private readonly members: number,
  ) {}

  async member(i: number, displayname: string): Promise<void> {
    await this.state('m.room.member', userOf(i), { membership: 'join', displayname });
    if (i % STATE_PER_MESSAGE === 0) await this.#message(i);
    if (i % STATE_PER_FORK === 0) await this.#late(i % this.members);
  }

  async state(type: string, stateKey: string, content: object): Promise<void> {
    this.#stateEvents++;
    const eventId = newEventId();
    const { trie, state } = change(this.#trie, type, stateKey, eventId);
    this.#trie = trie;
    const pdu = this.#pdu({ type, state_key: stateKey, content }, this.#last);
    await this.#add('pdu-accepted', eventId, { state, root: trie.rootHash, extremities: [eventId], pdu });
    this.#last = eventId;
    if (this.#stateEvents % STATE_PER_FORK === STATE_PER_FORK / 2) this.#fork = { eventId, trie };
  }

  async end(): Promise<MadeRoom> {
    await this.#flush();
    const { length } = this.#events;
    return { roomId: this.#roomId, events: this.#events, stateEvents: this.#stateEvents, facts: length };
  }

  async #message(i: number): Promise<void> {
    const eventId = newEventId();
    const pdu = this.#pdu({ type: 'm.room.message', content: { body: `Message ${i}` } }, this.#last);
    await this.#add('pdu-accepted', eventId, { state: [], root: this.#trie.rootHash, extremities: [eventId], pdu });
    this.#last = eventId;
  }

  async #late(i: number): Promise<void> {
    const from = this.#fork;
    if (from === undefined) return;
    this.#stateEvents++;
    const eventId = newEventId();
    const { trie, state } = change(from.trie, 'm.room.member', userOf(i), eventId);
    const pdu = this.#pdu({ type: 'm.room.member', state_key: userOf(i), content: {} }, from.eventId);
    await this.#add('pdu-soft-failed', eventId, { state, root: trie.rootHash, extremities: [], pdu });
  }

  #pdu(event: object, prev: EventId | undefined): PduAccepted['pdu'] {
    return {
      auth_events: [],
      depth: this.#events.length + 1,
      hashes: { sha256: randomBytes(32).toString('base64') },
      origin_server_ts: 1_700_000_000_000 + this.#events.length,
      prev_events: prev === undefined ? [] : [prev],
      room_id: this.#roomId,
      sender: userOf(0),
      signatures: { 'bench.example': { 'ed25519:1': randomBytes(64).toString('base64') } },
      ...event,
    };
  }

  async #add(type: string, eventId: EventId, body: Partial<PduAccepted>): Promise<void> {
    this.#events.push(eventId);
    const data = JSON.stringify({ event_id: eventId, room_version: '11', visibility: 'shared', ...body });
    this.#waiting.push({ id: randomUUID(), type, data, schema: 2, at: 1_700_000_000_000, actor: userOf(0) });
    if (this.#waiting.length >= PER_APPEND) await this.#flush();
  }

  async #flush(): Promise<void> {
    const facts = sealFacts(this.#chain, this.#waiting);
    const expected = this.#revision < 0 ? 'no-stream' : this.#revision;
    await this.store.append(roomStream(this.#roomId), expected, facts);
    this.#revision += facts.length;
    this.#chain = facts.at(-1)?.metadata.chain;
    this.#waiting = [];
  }
}

function userOf(i: number): string {
  return `@member${i}:bench.example`;
}

function newEventId(): EventId {
  return `$${randomBytes(32).toString('base64url')}` as EventId;
}

function change(
  before: StateTrie,
  type: string,
  stateKey: string,
  eventId: EventId,
): { trie: StateTrie; state: PduAccepted['state'] } {
  const replaces = before.get(type, stateKey);
  const own = { type, state_key: stateKey, event_id: eventId };
  return {
    trie: before.set(type, stateKey, eventId),
    state: [replaces === undefined ? own : { ...own, replaces }],
  };
}
