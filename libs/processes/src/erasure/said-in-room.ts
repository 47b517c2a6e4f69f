import type { EventStore, RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { type Position, START } from '#kernel/position';
import { Turn } from '#projections/turn';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { losesByRedaction, staysWithRoom } from '#rooms/commands/redact-here';
import { contentOf } from '#rooms/facts/pdu-fields';
import { roomStream } from '#rooms/facts/room-facts';

/** Of what kind an event is, as it is counted. */
export type SaidKind = 'messages' | 'reactions' | 'redactions' | 'memberships' | 'state';

/** What a room's stream has of what a user said there. */
export interface SaidInRoom {
  /** Events of which a redaction would take something away, in the order of the log, and of what kind each is. */
  readonly open: ReadonlyMap<EventId, SaidKind>;
  /** State that is the room's (`staysWithRoom`), of which a redaction would take something away. */
  readonly kept: number;
  /** The facts by which some were redacted, since a place in the log. */
  readonly redacted: ReadonlyMap<EventId, Redacted>;
}

export interface Redacted {
  readonly kind: SaidKind;
  /** That of the first of them, which counts. PERF: not the fact, for of a room there may be a million of them. */
  readonly revision: number;
}

/** What a fact of a room may tell. */
interface Told {
  readonly event_id?: EventId;
  readonly room_version?: string;
  readonly pdu?: JsonObject;
  readonly state_pdus?: Readonly<Record<EventId, string>>;
}

/**
 * Looks through all that the log has of a room for what a user sent there, and for member events that others made of them: also what nobody is shown,
 * and what facts carry besides. So nothing is missed because a view does not have it.
 */
export async function findSaidInRoom(
  store: Pick<EventStore, 'readStream'>,
  roomId: RoomId,
  userId: UserId,
  since: Position = START,
): Promise<SaidInRoom> {
  const looked = new LookedThrough(userId, since);
  const turn = new Turn(1);
  for await (const fact of store.readStream(roomStream(roomId), { inParts: true })) {
    looked.take(fact);
    if (turn.isOver()) await turn.pass();
  }
  return looked.result();
}

/** As far as a stream was looked through. */
class LookedThrough {
  readonly #open = new Map<EventId, SaidKind>();
  readonly #kept = new Set<EventId>();
  readonly #gone = new Set<EventId>();
  readonly #redacted = new Map<EventId, Redacted>();
  readonly #name: string;
  #version: RoomVersion | undefined;

  constructor(
    private readonly userId: UserId,
    private readonly since: Position,
  ) {
    this.#name = JSON.stringify(userId).slice(1, -1);
  }

  take(fact: RecordedFact): void {
    // PERF: most facts are of somebody else, and are not parsed. The first says the room's version.
    if (this.#version !== undefined && !fact.data.includes(this.#name)) return;
    const told = JSON.parse(fact.data) as Told; // rooms wrote it
    this.#version ??= told.room_version === undefined ? undefined : findRoomVersion(told.room_version);
    const { event_id: eventId, pdu } = told;
    if (fact.type === 'pdu-redacted') {
      if (eventId !== undefined && pdu !== undefined) this.#takeRedacted(fact, eventId, pdu);
      return;
    }
    if (eventId !== undefined && pdu !== undefined) this.#takeEvent(eventId, pdu);
    for (const [id, text] of Object.entries(told.state_pdus ?? {}))
      this.#takeEvent(id as EventId, JSON.parse(text) as JsonObject);
  }

  result(): SaidInRoom {
    for (const eventId of this.#gone) this.#open.delete(eventId);
    return { open: this.#open, kept: this.#kept.size, redacted: this.#redacted };
  }

  #takeRedacted(fact: RecordedFact, eventId: EventId, remains: JsonObject): void {
    this.#gone.add(eventId);
    const isMeant = remains['sender'] === this.userId || isMemberOf(remains, this.userId);
    if (!isMeant || fact.position <= this.since || this.#redacted.has(eventId)) return;
    this.#redacted.set(eventId, { kind: kindOf(remains), revision: fact.revision });
  }

  #takeEvent(eventId: EventId, pdu: JsonObject): void {
    const version = this.#version;
    if (version === undefined || !isPersonal(pdu, this.userId) || !losesByRedaction(pdu, version)) return;
    const { type, state_key: stateKey } = pdu;
    const state = { type: String(type), stateKey: stateKey as string | undefined };
    if (staysWithRoom(state, this.userId)) this.#kept.add(eventId);
    else this.#open.set(eventId, kindOf(pdu));
  }
}

/** Whether an event is a user's: what they sent; and of what others said of their membership what has the user's name or picture. */
export function isPersonal(pdu: JsonObject, userId: UserId): boolean {
  if (pdu['sender'] === userId) return true;
  const { displayname: name, avatar_url: picture } = contentOf(pdu);
  return isMemberOf(pdu, userId) && (name !== undefined || picture !== undefined);
}

function isMemberOf({ type, state_key: stateKey }: JsonObject, userId: UserId): boolean {
  return type === 'm.room.member' && stateKey === userId;
}

function kindOf({ type, state_key: stateKey }: JsonObject): SaidKind {
  if (stateKey !== undefined) return type === 'm.room.member' ? 'memberships' : 'state';
  return type === 'm.reaction' ? 'reactions' : type === 'm.room.redaction' ? 'redactions' : 'messages';
}
