import type { RecordedFact } from '#event-store/event-store';
import { type EventId, type RoomId, serverNameOf } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { authStateOf } from '#protocol/event-auth/auth-state';
import { checkEventAuth } from '#protocol/event-auth/authorize-event';
import { selectAuthTypes } from '#protocol/event-auth/select-auth-types';
import { parseRoomEvent } from '#protocol/parse-room-event';
import type { RoomEvent } from '#protocol/room-event';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { hasContentHash } from '#protocol/signing/content-hash';
import { eventIdOf } from '#protocol/signing/reference-hash';
import { listSigningKeyIds } from '#protocol/signing/sign-json';
import { verifyEventSignature } from '#protocol/signing/sign-event';
import type { VerifyKey } from '#protocol/signing/signing-key';
import { StateTrie } from '#protocol/state-trie/state-trie';
import { type PduAccepted, type PduRedacted, pduTextOf } from '../facts/room-facts.js';

/** The key of a server under a key id, where it is known; signatures under unknown keys count as not verifiable. */
export type KeyRing = (serverName: string, keyId: string) => VerifyKey | undefined;

/** What was found of one fact. */
export interface Finding {
  readonly revision: number;
  readonly problem: string;
}

/**
 * Checks a room's facts one after another, trusting nothing that is written beside the PDUs: hashes, signatures, event ids,
 * the authorisation of each event by the state before it, and the state and root after it, all computed again.
 */
export class RoomVerifier {
  readonly #state = new Map<string, RoomEvent>();
  #trie = StateTrie.empty;
  #extremities: readonly EventId[] = [];
  #createEvent: RoomEvent | undefined;
  #unverifiable = 0;

  constructor(
    private readonly roomId: RoomId,
    private readonly keys: KeyRing,
  ) {}

  /** How many events carried only signatures under keys that are not known. */
  get unverifiable(): number {
    return this.#unverifiable;
  }

  /** What is wrong with the next fact of the stream; nothing where all is well. */
  check(fact: RecordedFact): Finding[] {
    const problems: string[] = [];
    try {
      if (fact.type === 'pdu-accepted') this.#checkAccepted(fact, problems);
      else if (fact.type === 'pdu-redacted') this.#checkRedacted(fact, problems);
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
    return problems.map((problem) => ({ revision: fact.revision, problem }));
  }

  #checkAccepted(fact: RecordedFact, problems: string[]): void {
    const body = JSON.parse(fact.data) as PduAccepted;
    const version = versionOf(body.room_version);
    const pdu = pduOf(fact, version);
    const event = parseRoomEvent(pdu, version, this.roomId);
    if (event.eventId !== body.event_id) problems.push(`the PDU's id is ${event.eventId}, not ${body.event_id}`);
    if (!hasContentHash(pdu, version)) problems.push(`${body.event_id}: the content hash does not match`);
    this.#checkSignature(event, version, problems);
    this.#checkAuth(event, version, problems);
    this.#checkPlace(event, body, problems);
    this.#apply(event, body, problems);
  }

  #checkSignature(event: RoomEvent, version: RoomVersion, problems: string[]): void {
    const server = serverNameOf(event.sender);
    const known = listSigningKeyIds(event.pdu, server).flatMap((keyId) => {
      const key = this.keys(server, keyId);
      return key === undefined ? [] : [{ keyId, key }];
    });
    if (known.length === 0) this.#unverifiable++;
    else if (!known.some(({ keyId, key }) => verifyEventSignature(event.pdu, version, server, keyId, key))) {
      problems.push(`${event.eventId}: the signature of ${server} does not hold`);
    }
  }

  #checkAuth(event: RoomEvent, version: RoomVersion, problems: string[]): void {
    if (event.type === 'm.room.create') this.#createEvent ??= event;
    const auth = selectAuthTypes(event, version).flatMap(({ type, stateKey }) => {
      const one = this.#state.get(keyOf(type, stateKey));
      return one === undefined ? [] : [one];
    });
    try {
      checkEventAuth(event, version, authStateOf(auth, this.#createEvent));
    } catch (error) {
      problems.push(`${event.eventId}: not authorised by the state before it: ${(error as Error).message}`);
    }
  }

  #checkPlace(event: RoomEvent, body: PduAccepted, problems: string[]): void {
    const strangers = event.prevEvents.filter((eventId) => !this.#extremities.includes(eventId));
    if (strangers.length > 0)
      problems.push(`${event.eventId}: refers to ${strangers.join(', ')}, no extremity before it`);
    if (!body.extremities.includes(event.eventId)) problems.push(`${event.eventId}: is not an extremity after itself`);
  }

  #apply(event: RoomEvent, body: PduAccepted, problems: string[]): void {
    this.#extremities = body.extremities;
    const changes = body.state.map((change) => `${change.type}|${change.state_key}=${change.event_id}`);
    const expected = event.stateKey === undefined ? [] : [`${event.type}|${event.stateKey}=${event.eventId}`];
    if (changes.join(' ') !== expected.join(' '))
      problems.push(`${event.eventId}: the state delta is not its own effect`);
    if (event.stateKey !== undefined) {
      this.#state.set(keyOf(event.type, event.stateKey), event);
      this.#trie = this.#trie.set(event.type, event.stateKey, event.eventId);
    }
    if (this.#trie.rootHash !== body.root) {
      problems.push(`${event.eventId}: the state after it has the root ${this.#trie.rootHash}, not ${body.root}`);
    }
  }

  #checkRedacted(fact: RecordedFact, problems: string[]): void {
    const body = JSON.parse(fact.data) as PduRedacted;
    const version = versionOf(body.room_version);
    // The id is the hash of what a redaction leaves: where it is a hash at all, it proves the remains.
    const eventId = eventIdOf(pduOf(fact, version), version);
    if (eventId !== body.event_id) problems.push(`the remains of ${body.event_id} have the id ${eventId}`);
  }
}

function versionOf(id: string): RoomVersion {
  const version = findRoomVersion(id);
  if (version === undefined) throw new Error(`there is no room version ${id}`);
  return version;
}

function pduOf(fact: RecordedFact, version: RoomVersion): JsonObject {
  const pdu = parseJson(pduTextOf(fact.data), { lenient: !version.strictCanonicalJson });
  if (!isJsonObject(pdu)) throw new Error('the PDU is no object');
  return pdu;
}

function keyOf(type: string, stateKey: string): string {
  return `${type}\0${stateKey}`;
}
