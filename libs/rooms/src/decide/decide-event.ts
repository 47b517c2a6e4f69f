import { randomBytes } from 'node:crypto';
import type { EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { type AuthState, authStateOf } from '#protocol/event-auth/auth-state';
import { checkEventAuth } from '#protocol/event-auth/authorize-event';
import { refuseUnsignedJoin } from '#protocol/event-auth/check-auth-events';
import { mayChangeVisibility, visibilityChangeOf } from '#protocol/message-visibility';
import { parseRoomEvent } from '#protocol/parse-room-event';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { sealEvent } from '#protocol/signing/seal-event';
import { STICKY, stickyForm } from '#protocol/stickiness';
import type { SigningKey } from '#protocol/signing/signing-key';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import type { PduAccepted, PduRedacted } from '../facts/room-facts.js';
import { refuseWhilePartial } from './refuse-while-partial.js';
import { depthOfNext, type Extremity, headAfter, MOST_NAMED, parentsOfNext, type RoomHead } from './room-head.js';
import { changesBetween, stateAfterEvent, tellHeldBefore } from './room-state.js';

/** An event a local user wants to send: all that the server does not add by itself. */
export interface EventDraft {
  readonly type: string;
  readonly sender: UserId;
  /** undefined for message events. */
  readonly stateKey?: string;
  readonly content: JsonObject;
  readonly redacts?: EventId;
  /** The device and the transaction id it is sent with. */
  readonly txn?: PduAccepted['txn'];
  /** Its `origin_server_ts`, where that is not to be the time at which it is made. */
  readonly sentAt?: number;
  /** For how long it is to be sticky (MSC4354), in milliseconds; undefined: not at all. */
  readonly stickyMs?: number;
}

/** This server as the author of events. */
export interface EventAuthor {
  readonly serverName: ServerName;
  readonly signingKey: SigningKey;
}

/** Injection token of this server's EventAuthor. */
export const EVENT_AUTHOR = Symbol.for('annals.EventAuthor');

/** A redaction that takes effect with an event: the fact `pdu-redacted`. */
export interface DueRedaction {
  readonly effect: Omit<PduRedacted, 'pdu'>;
  /** What remains of the event. */
  readonly pduText: string;
}

/** A decided event: what goes into the log, and where the room stands once it is there. */
export interface DecidedEvent {
  readonly event: RoomEvent;
  /** The PDU's canonical JSON. */
  readonly pduText: string;
  readonly header: Omit<PduAccepted, 'pdu'>;
  readonly head: RoomHead;
  /** What redactions do with it, where it was judged as if it came from elsewhere; undefined: that is for who decided it. */
  readonly redactions?: readonly DueRedaction[];
}

/** What an event refers to: the events of the state it is authorised by, and for pair-style versions the hashes of all. */
export interface References {
  /** The events of the state that `selectAuthTypes` names. */
  readonly auth: readonly RoomEvent[];
  /** Writes a list of event ids as this room version does. */
  readonly write: (ids: readonly EventId[]) => JsonObject[string];
}

/**
 * Checks a draft against the authorisation rules of the state before it, `auth` being the events of it that `selectAuthTypes`
 * names. Before anything else is said of a draft: what is wrong with it is no business of those who may not send it. Throws
 * M_FORBIDDEN.
 */
export function checkDraftAuth(
  roomId: RoomId,
  head: Pick<RoomHead, 'version' | 'createEvent' | 'depth'> & { readonly extremities: readonly { eventId: EventId }[] },
  draft: EventDraft,
  auth: readonly RoomEvent[],
  author: EventAuthor,
): void {
  const { type, sender, stateKey, content, redacts } = draft;
  const event: RoomEvent = {
    // What it will be called is not known yet; the rules ask for the server in it alone.
    eventId: `$:${author.serverName}` as EventId,
    roomId,
    type,
    sender,
    stateKey,
    content,
    originServerTs: 0,
    depth: depthOfNext(head.depth),
    prevEvents: head.extremities.map(({ eventId }) => eventId),
    authEvents: auth.map(({ eventId }) => eventId),
    redacts: head.version.redactsInContent ? (content['redacts'] as EventId | undefined) : redacts,
    pdu: {},
  };
  checkEventAuth(event, head.version, authStateOf(auth, head.createEvent));
  // Nobody but this server will have signed it.
  const refusal = refuseUnsignedJoin(event, head.version, (server) => server === author.serverName);
  if (refusal !== undefined) throw new MatrixError('M_FORBIDDEN', refusal);
}

/**
 * Checks a draft against the authorisation rules of the state before it, builds an event of it on the room's forward
 * extremities, hashes and signs it. Throws M_FORBIDDEN where a rule refuses, RoomIsPartial, and as
 * `buildEvent` does. Not where there are more extremities than an event may name (`decideAmongMany`).
 */
export function decideEvent(
  roomId: RoomId,
  head: RoomHead,
  draft: EventDraft,
  references: References,
  author: EventAuthor,
  now: number,
): DecidedEvent {
  if (head.extremities.length > MOST_NAMED)
    throw new Error(`${roomId} has more extremities than an event of ours may name`);
  refuseWhilePartial(head, draft);
  checkDraftAuth(roomId, head, draft, references.auth, author);
  const { version } = head;
  const place = { parents: parentsOfNext(head), depth: depthOfNext(head.depth), references };
  const { event, pduText } = buildEvent(roomId, version, draft, place, author, now);
  const { header, ...decided } = accept(head, event, draft.txn);
  const moderates = tellModeration(event, authStateOf(references.auth, head.createEvent), version);
  return { pduText, ...decided, header: { ...header, ...moderates } };
}

/** Where a new event stands. */
export interface NewPlace {
  readonly parents: readonly EventId[];
  readonly depth: number;
  readonly references: References;
}

/**
 * Builds an event of a draft, hashes and signs it. Throws M_TOO_LARGE, and M_BAD_JSON where the content has no canonical form (room
 * versions 6 and later).
 */
export function buildEvent(
  roomId: RoomId,
  version: RoomVersion,
  draft: EventDraft,
  { parents, depth, references }: NewPlace,
  author: EventAuthor,
  now: number,
): Pick<DecidedEvent, 'event' | 'pduText'> {
  const unsigned = {
    auth_events: references.write(references.auth.map(({ eventId }) => eventId)),
    content: draft.content,
    depth,
    origin: author.serverName,
    origin_server_ts: draft.sentAt ?? now,
    prev_events: references.write(parents),
    room_id: roomId,
    sender: draft.sender,
    type: draft.type,
    ...(draft.stateKey === undefined ? {} : { state_key: draft.stateKey }),
    ...(draft.redacts === undefined ? {} : { redacts: draft.redacts }),
    ...(draft.stickyMs === undefined ? {} : { [STICKY]: stickyForm(draft.stickyMs) }),
  };
  const sealed = seal(unsigned, version, author);
  return { event: parseRoomEvent(sealed.pdu, version, roomId, sealed), pduText: sealed.json };
}

/** A room's first event, made before the room's id is known where that is the event's own hash. */
export function decideCreateEvent(head: RoomHead, event: RoomEvent, pduText: string): DecidedEvent {
  checkEventAuth(event, head.version, authStateOf([], event));
  return { pduText, ...accept(head, event, undefined) };
}

/** Hashes, signs and (where the id is no hash) names a PDU. */
export function seal(pdu: JsonObject, version: RoomVersion, author: EventAuthor): ReturnType<typeof sealEvent> {
  return sealEvent(named(pdu, version, author), version, author.serverName, author.signingKey);
}

function named(pdu: JsonObject, version: RoomVersion, { serverName }: EventAuthor): JsonObject {
  if (version.eventIds !== 'opaque') return pdu;
  return { ...pdu, event_id: `$${randomBytes(18).toString('base64url')}:${serverName}` };
}

/** Accepts an event that stands on all extremities: the state before it is the current one. */
function accept(head: RoomHead, event: RoomEvent, txn: PduAccepted['txn'] | undefined): Omit<DecidedEvent, 'pduText'> {
  const state = stateAfterEvent(head.state, event, head.version);
  const own = event.stateKey === undefined ? [] : changesBetween(head.state, state);
  const root = state.rootHash;
  const base = head.extremities.find(({ eventId }) => eventId === event.prevEvents[0]);
  const isOnCurrent = base === undefined || base.root === head.state.rootHash;
  const changes = {
    room_version: head.version.id,
    // The base is the first of `prev_events`.
    state: isOnCurrent ? own : changesBetween(stateOf(base), state),
    ...(isOnCurrent ? {} : tellHeldBefore(event, stateOf(base), head.state)),
    root,
    extremities: [event.eventId],
    ...(isOnCurrent ? {} : { current: { state: own, root } }),
    ...(txn === undefined ? {} : { txn }),
  };
  const after = headAfter(head, { type: 'pdu-accepted', event, header: changes });
  const header = { event_id: event.eventId, visibility: head.visibility, ...changes };
  return { event, header, head: after };
}

/** What the fact of an accepted event says of that it hides or shows another one. `state`: that before it, as far as it is judged by it. */
export function tellModeration(
  event: RoomEvent,
  state: AuthState,
  version: RoomVersion,
): Pick<PduAccepted, 'moderates'> {
  if (visibilityChangeOf(event) === undefined) return {};
  return mayChangeVisibility(event.sender, state, version) ? { moderates: true } : {};
}

function stateOf({ eventId, state }: Extremity): StateTrie {
  if (state === undefined) throw new Error(`the state after ${eventId} is not in memory`);
  return state;
}
