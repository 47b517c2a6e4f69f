import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { redact } from '#protocol/redaction/redact';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { isStateDeletion } from '#protocol/state-deletion';
import { STICKY } from '#protocol/stickiness';
import { changesNoState, pduTextOf } from '../facts/fact-text.js';
import { contentOf } from '../facts/pdu-fields.js';
import {
  currentChangeOf,
  heldBefore,
  isAside,
  roomIdOfStream,
  type PduAccepted,
  type PduRedacted,
  type PduSoftFailed,
  type StateChange,
} from '../facts/room-facts.js';
import { redactedRowOf, timelineRowOf } from './make-row.js';

/** A `pdu-accepted` fact, parsed once for all projectors. */
export class AcceptedFact {
  readonly content: JsonObject;
  #current: readonly CurrentStateEvent[] | undefined;
  #members: readonly CurrentStateEvent[] | undefined;

  constructor(
    readonly roomId: RoomId,
    readonly data: PduAccepted,
    /** The PDU may hold numbers that a double cannot: they are JsonNumber in `data.pdu`. */
    readonly lenient: boolean,
    /** The event row (see timeline-row.ts), as it stands in `timeline` and `room-state`. */
    readonly row: string,
  ) {
    this.content = contentOf(data.pdu);
  }

  /** Whether it changed a state: that after it, or the room's current one. */
  get changesState(): boolean {
    return this.data.state.length > 0 || this.data.current !== undefined;
  }

  /** As `currentStateOf`. PERF: worked out once for all projectors. */
  get current(): readonly CurrentStateEvent[] {
    return (this.#current ??= readCurrent(this));
  }

  /** As `currentMembersOf`. */
  get members(): readonly CurrentStateEvent[] {
    return (this.#members ??= readMembers(this));
  }
}

/** A `pdu-redacted` fact, parsed once. */
export interface RedactedFact {
  readonly roomId: RoomId;
  readonly data: PduRedacted;
  readonly lenient: boolean;
}

/** An event that a fact made the current one of its state key, with what the views need of it. */
export interface CurrentStateEvent {
  readonly change: StateChange & { readonly event_id: EventId };
  readonly pdu: JsonObject;
  readonly content: JsonObject;
}

/** Parses the facts of rooms, each once however many projectors ask. */
export interface RoomFactReader {
  /** The parsed `pdu-accepted` fact. */
  accepted(fact: RecordedFact): AcceptedFact;
  /** The parsed `pdu-accepted` fact if it changed a state; undefined for a message, without a look at the rest of it. */
  findStateChange(fact: RecordedFact): AcceptedFact | undefined;
  /** The parsed `pdu-accepted` fact if its event may say that it relates to another; else mostly without a look at the rest of it. */
  findRelating(fact: RecordedFact): AcceptedFact | undefined;
  /** The parsed `pdu-accepted` fact if its event may be sticky; else without a look at the rest of it. */
  findSticky(fact: RecordedFact): AcceptedFact | undefined;
  /** The parsed `pdu-soft-failed` fact. */
  softFailed(fact: RecordedFact): { readonly data: PduSoftFailed; readonly lenient: boolean };
  /** The parsed `pdu-redacted` fact. */
  redacted(fact: RecordedFact): RedactedFact;
}

/**
 * PERF: of how many facts what was parsed is kept: of those that are followed at once. To keep more costs more in garbage collection
 * than to parse them again where a projector goes by itself (docs/performance.md).
 */
const KEPT = 64;

const RELATES_TO = 'm.relates_to';

/** Makes a reader. Projectors that run over the same facts share one. PERF: measured by bench/project-message.ts. */
export function createRoomFactReader(): RoomFactReader {
  const parsed = new Map<RecordedFact, AcceptedFact>();
  const parse = (fact: RecordedFact): AcceptedFact => {
    if (parsed.size >= KEPT) parsed.clear();
    const accepted = parseAccepted(fact);
    parsed.set(fact, accepted);
    return accepted;
  };
  return {
    findStateChange(fact) {
      const known = parsed.get(fact);
      if (known !== undefined) return known.changesState ? known : undefined;
      return changesNoState(fact.data) ? undefined : parse(fact);
    },
    findRelating(fact) {
      const known = parsed.get(fact);
      if (known !== undefined) return known.content[RELATES_TO] === undefined ? undefined : known;
      // PERF: a PDU's canonical JSON escapes no letters: most events need not be parsed.
      return fact.data.includes(`"${RELATES_TO}"`) ? parse(fact) : undefined;
    },
    findSticky(fact) {
      const known = parsed.get(fact);
      if (known !== undefined) return known.data.pdu[STICKY] === undefined ? undefined : known;
      return mayBeSticky(fact) ? parse(fact) : undefined;
    },
    accepted: (fact) => parsed.get(fact) ?? parse(fact),
    softFailed: (fact) => parseData<PduSoftFailed>(fact),
    redacted: parseRedacted,
  };
}

/** Whether a fact's event may be sticky, by a look at its text: a PDU's canonical JSON escapes no letters. */
export function mayBeSticky({ data }: Pick<RecordedFact, 'data'>): boolean {
  return data.includes(`"${STICKY}"`);
}

/** The events that became current by this fact; nothing for a message event. */
export function currentStateOf(accepted: AcceptedFact): readonly CurrentStateEvent[] {
  return accepted.current;
}

function readCurrent({ data, content, lenient }: AcceptedFact): readonly CurrentStateEvent[] {
  const events: CurrentStateEvent[] = [];
  for (const change of currentChangeOf(data)?.state ?? []) {
    const { event_id: eventId } = change;
    if (eventId === null) continue;
    // PERF: most are those of the facts themselves: nothing is copied.
    if (eventId === data.event_id)
      events.push({ change: change as CurrentStateEvent['change'], pdu: data.pdu, content });
    else {
      const text = data.state_pdus?.[eventId];
      if (text === undefined) throw new Error(`the fact makes ${eventId} current and does not carry it`);
      const pdu = parseJson(text, { lenient }) as JsonObject;
      events.push({ change: { ...change, event_id: eventId }, pdu, content: contentOf(pdu) });
    }
  }
  return events;
}

/** The keys of the current state that nothing holds any more since this fact. */
export function deletedStateOf({ data }: AcceptedFact): readonly StateChange[] {
  return currentChangeOf(data)?.state.filter(({ event_id: eventId }) => eventId === null) ?? [];
}

/** Whether a fact's own event did a change of the state: by holding its key or, where it deletes state, by leaving it to nothing. */
export function isOwnChange(
  { type, state_key: stateKey, event_id: holder }: StateChange,
  { event_id: eventId, room_version, pdu }: PduAccepted,
): boolean {
  if (type !== pdu['type'] || stateKey !== pdu['state_key']) return false;
  if (holder !== null) return holder === eventId;
  const version = findRoomVersion(room_version);
  // Resolution may leave to nothing what the event would have held.
  return version !== undefined && isStateDeletion({ stateKey, content: contentOf(pdu) }, version);
}

/** The memberships that changed by this fact. Who is left with none by resolution is out of the room. */
export function currentMembersOf(accepted: AcceptedFact): readonly CurrentStateEvent[] {
  return accepted.members;
}

function readMembers(accepted: AcceptedFact): readonly CurrentStateEvent[] {
  const gone = deletedStateOf(accepted).flatMap(asLeft);
  return [...currentStateOf(accepted), ...gone].filter(({ change }) => change.type === 'm.room.member');
}

function asLeft(change: StateChange): CurrentStateEvent[] {
  const { replaces, state_key: userId } = change;
  if (replaces === undefined) return [];
  return [{ change: { ...change, event_id: replaces }, pdu: { sender: userId }, content: { membership: 'leave' } }];
}

function parseAccepted(fact: RecordedFact): AcceptedFact {
  const { data, lenient } = parseData<PduAccepted>(fact);
  const roomId = roomIdOfStream(fact.stream);
  const { event_id, visibility, txn, room_version, pdu } = data;
  const isHistory = data.history === true;
  const { position, metadata } = fact;
  const row = timelineRowOf({
    event_id,
    position,
    receivedAt: metadata.at,
    visibility,
    replaces: heldBefore(data),
    txn,
    room_version,
    pdu,
    lenient,
    isHistory,
    isAfterGap: typeof data.base === 'object',
    isResolved: isResolved(data),
    isAside: isAside(data),
  });
  return new AcceptedFact(roomId, data, lenient, redactedAtOnce(row, data));
}

/** The row of an event that is redacted as it comes: who reads before `pdu-redacted` follows is shown no more than who reads after. */
function redactedAtOnce(row: string, { redacted_by: by, room_version, pdu }: PduAccepted): string {
  const version = by && findRoomVersion(room_version);
  return by === undefined || version === undefined
    ? row
    : redactedRowOf(row, by, { room_version, pdu: redact(pdu, version) });
}

/** Whether the current state changed otherwise than by an event taking its own key. */
function isResolved(data: PduAccepted): boolean {
  const changes = currentChangeOf(data)?.state;
  if (changes === undefined) return false;
  const isState = data.pdu['state_key'] !== undefined;
  return changes.length !== (isState ? 1 : 0) || !changes.every((change) => isOwnChange(change, data));
}

function parseRedacted(fact: RecordedFact): RedactedFact {
  return { roomId: roomIdOfStream(fact.stream), ...parseData<PduRedacted>(fact) };
}

function parseData<T extends PduAccepted | PduRedacted | PduSoftFailed>(
  fact: RecordedFact,
): { data: T; lenient: boolean } {
  const data = JSON.parse(fact.data) as T; // what the worker appended under this type has this shape
  const lenient = findRoomVersion(data.room_version)?.strictCanonicalJson === false;
  if (!lenient) return { data, lenient };
  // Only the PDU of an old room can hold numbers whose spelling matters.
  return { data: { ...data, pdu: parseJson(pduTextOf(fact.data), { lenient }) as JsonObject }, lenient };
}
