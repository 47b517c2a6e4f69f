import type { RecordedFact } from '#event-store/event-store';
import { type EventId, isUserId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { isStateDeletion } from '#protocol/state-deletion';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import { contentOf, redactionTargetOf } from '../facts/pdu-fields.js';
import type {
  JoinBegun,
  JoinCompleted,
  JoinFilled,
  JoinGivenUp,
  StateLearnt,
  StateTaken,
} from '../facts/join-facts.js';
import {
  currentChangeOf,
  type OutlierStored,
  type PduAccepted,
  type PduRedacted,
  type PduRejected,
  type PduSoftFailed,
  type PduWithState,
  type ROOM_SHAPES,
  type RoomListed,
} from '../facts/room-facts.js';
import type { SoftFailureLifted } from '../facts/lifted-facts.js';
import type { RoomPurged } from '../facts/room-purged.js';
import type { ChangeTold } from '../facts/told-in-parts.js';
import type { AuditEntry, ToldChange } from './audit-room.js';
import { shortened } from './people.js';
import { nameOfEvent, tellEvent, type Telling } from './tell-event.js';

/** What a fact tells beside its place in the log. */
type Told = Omit<
  AuditEntry,
  'revision' | 'position' | 'at' | 'actor' | 'who' | 'device' | 'origin' | 'transaction' | 'fact' | 'chain'
> & {
  /** Who did it, where that is not the actor. */
  readonly sender?: unknown;
};

/** The facts that stand in a room's stream. */
type FactOfRoom = Exclude<keyof typeof ROOM_SHAPES, 'room-forgotten'>;

/** Tells one fact after another of a room. */
export class RoomHistory {
  /** The content in force of each state key. */
  readonly #contents = new Map<string, JsonObject>();
  /** In words, what each redacted event was. */
  readonly #names = new Map<EventId, string>();
  /** Each type of fact, from its data: the compiler asks for those that are missing. */
  readonly #tellers: Readonly<Record<FactOfRoom, (data: never) => Told>> = {
    'pdu-accepted': (data: PduAccepted) => this.#tellAccepted(data),
    'pdu-soft-failed': (data: PduSoftFailed) => this.#tellRefused(data, this.#softFailure(data)),
    'soft-failure-lifted': ({ event_id: eventId }: SoftFailureLifted) => ({
      event_id: eventId,
      ...onlyWords(
        `has members told of ${this.#names.get(eventId) ?? 'an event'}, which was soft-failed, as long as it is sticky`,
      ),
    }),
    'pdu-rejected': (data: PduRejected) => this.#tellRefused(data, this.#rejection(data)),
    'outlier-stored': (data: OutlierStored) => this.#tellOutlier(data),
    'state-learnt': ({ event_id, part, parts, state }: StateLearnt) =>
      onlyWords(`told the state before ${event_id}: part ${part} of ${parts}, ${state.length} keys`),
    'change-told': ({ event_id, part, parts }: ChangeTold) =>
      onlyWords(`told part ${part} of ${parts} of what ${event_id} changes`),
    'join-begun': ({ via }: JoinBegun) => onlyWords(`began to join the room through ${via}: it is being joined`),
    'state-taken': (data: StateTaken) => this.#tellTaken(data),
    'join-completed': ({ partial }: JoinCompleted) =>
      onlyWords(`completed the join of the room${partial === undefined ? '' : ', of which members are not here yet'}`),
    'join-filled': ({ states }: JoinFilled) =>
      onlyWords(`completed the room: the states of ${states.length} events are told by all of it`),
    'join-given-up': ({ reason }: JoinGivenUp) => onlyWords(`gave the join of the room up: ${reason}`),
    'pdu-redacted': ({ event_id: eventId, ordered }: PduRedacted) => {
      const { reason, expired } = ordered ?? {};
      const age = expired === undefined ? '' : ', for the room keeps messages no longer';
      const where = ordered === undefined ? '' : `${age}, on this server alone`;
      const why = reason === undefined ? '' : `: ${shortened(reason)}`;
      return {
        event_id: eventId,
        ...onlyWords(`took the content of ${this.#names.get(eventId) ?? 'an event'} away${where}${why}`),
      };
    },
    'room-listed': ({ listed }: RoomListed) =>
      onlyWords(listed ? 'listed the room in the directory' : 'took the room out of the directory'),
    'room-purged': ({ more }: RoomPurged) =>
      onlyWords(
        more === true ? 'is letting go of all that was known of the room' : 'let go of all that was known of the room',
      ),
    'room-upgraded': () => onlyWords('replaced the room by an upgrade'),
  };

  constructor(
    private readonly remains: ReadonlyMap<EventId, JsonObject>,
    private readonly telling: Telling,
  ) {}

  pass({ type, data, revision, position, metadata }: RecordedFact): AuditEntry {
    const { at, actor, device, chain, causation: transaction } = metadata;
    const tell = Object.hasOwn(this.#tellers, type) ? this.#tellers[type as FactOfRoom] : tellUnknown(type);
    const body = JSON.parse(data) as { readonly origin?: ServerName };
    // What stands in a log under a type has its shape.
    const { sender = actor, ...told } = tell(body as never);
    const who = this.telling.people(sender);
    const from = body.origin && { origin: body.origin, ...(transaction && { transaction }) };
    const place = { revision, position, at, actor, who, ...(device && { device }), ...from, fact: type, chain };
    return { ...place, ...told };
  }

  #tellAccepted(body: PduAccepted): Told {
    const { event_id: eventId } = body;
    const { state, root } = currentChangeOf(body) ?? { state: [], root: undefined };
    const own = state.find((change) => change.event_id === eventId) ?? ownKeyOf(body);
    const before = own && this.#contents.get(stateKeyOf(own.type, own.state_key));
    const effect = state.map((change) => this.#change(change, body));
    const isPast = body.history === true;
    const { what, ...told } = this.#tellEvent(body, isPast ? undefined : before);
    const how = isPast ? ' (fetched from the past)' : body.anew === true ? ' (the room came anew with it)' : '';
    return { ...told, what: `${what}${how}`, effect, ...(root && { root }) };
  }

  /** Takes a change into the state that is known here. */
  #change(change: ToldChange, body: PduAccepted): ToldChange {
    const { event_id: id } = change;
    const key = stateKeyOf(change.type, change.state_key);
    if (id === null) this.#contents.delete(key);
    else {
      const content = contentOf(this.remains.get(id) ?? carriedPdu(body, id));
      this.#contents.set(key, content);
      if (id !== body.event_id) return { ...change, content };
    }
    return change;
  }

  /** An event that took no place in the room. */
  #tellRefused(body: PduWithState, outcome: string): Told {
    const { what, ...told } = this.#tellEvent(body, undefined);
    return { ...told, what: `${what} (${outcome})`, effect: [] };
  }

  #softFailure({ event_id: eventId, reason }: PduSoftFailed): string {
    const why = reason === undefined || this.remains.has(eventId) ? '' : `: ${shortened(reason)}`;
    return `soft-failed, nobody is shown it${why}`;
  }

  /** Why it was rejected may quote what a redaction took away. */
  #rejection({ event_id: eventId, reason }: Pick<PduRejected, 'event_id' | 'reason'>): string {
    return this.remains.has(eventId) ? 'rejected' : `rejected: ${shortened(reason)}`;
  }

  #tellEvent(body: PduWithState, before: JsonObject | undefined): Omit<Told, 'effect'> {
    const { pdu, event_id: eventId, origin, room_version: versionId } = body;
    const [type, sender, key] = [String(pdu['type']), pdu['sender'], pdu['state_key']];
    const stateKey = typeof key === 'string' ? key : undefined;
    const remains = this.#name(body);
    const content = contentOf(remains ?? pdu);
    const target = redactionTargetOf(pdu, versionId);
    const redacted = target && this.#names.get(target);
    const version = findRoomVersion(versionId);
    const isDeletion = version !== undefined && isStateDeletion({ stateKey, content }, version);
    const event = { type, sender, stateKey, content, before, redacted, isDeletion, isRedacted: remains !== undefined };
    const by = origin === undefined ? {} : { sender };
    const said = tellEvent(event, this.telling);
    const isPassedOn = origin !== undefined && isUserId(String(sender)) && serverNameOf(sender as UserId) !== origin;
    const what = isPassedOn ? `${said} (told by ${origin})` : said;
    const told = { ...by, event_id: eventId, type, what };
    return stateKey === undefined ? told : { ...told, state_key: stateKey, content };
  }

  #tellOutlier(body: OutlierStored): Told {
    const { event_id: eventId, reason } = body;
    this.#name(body);
    const outcome = reason === undefined ? '' : ` (${this.#rejection({ event_id: eventId, reason })})`;
    const what = `told of ${this.#nameOf(body.pdu)}, which has no place in the history here${outcome}`;
    return { event_id: eventId, ...onlyWords(what) };
  }

  #tellTaken(body: StateTaken): Told {
    const { event_id: eventId, state, pdu } = body;
    const { type, state_key: stateKey } = state[0]!;
    const content = contentOf(this.#name(body) ?? pdu);
    this.#contents.set(stateKeyOf(type, stateKey), content);
    const what = `told of the state at the join: ${this.#nameOf(pdu)}`;
    return { event_id: eventId, type, state_key: stateKey, content, what, effect: state };
  }

  /** What a redaction left of an event; then its name is remembered for the words of that. */
  #name({ event_id: eventId, pdu }: Pick<PduWithState, 'event_id' | 'pdu'>): JsonObject | undefined {
    const remains = this.remains.get(eventId);
    if (remains !== undefined) this.#names.set(eventId, this.#nameOf(pdu));
    return remains;
  }

  #nameOf(pdu: JsonObject): string {
    const stateKey = typeof pdu['state_key'] === 'string' ? pdu['state_key'] : undefined;
    return nameOfEvent({ type: String(pdu['type']), sender: pdu['sender'], stateKey }, this.telling.people);
  }
}

/** The PDU of an event that a fact made current: its own, or one that it carries. */
export function carriedPdu(body: PduAccepted, eventId: EventId): JsonObject {
  if (eventId === body.event_id) return body.pdu;
  const text = body.state_pdus?.[eventId];
  return text === undefined ? {} : (JSON.parse(text) as JsonObject);
}

function tellUnknown(type: string): () => Told {
  return () => onlyWords(`wrote what this version does not know (${type})`);
}

function onlyWords(what: string): Pick<Told, 'what' | 'effect'> {
  return { what, effect: [] };
}

/** The key of a state event; undefined of others. */
function ownKeyOf({ pdu }: PduAccepted): { readonly type: string; readonly state_key: string } | undefined {
  const { type, state_key: key } = pdu;
  return typeof key === 'string' ? { type: String(type), state_key: key } : undefined;
}
