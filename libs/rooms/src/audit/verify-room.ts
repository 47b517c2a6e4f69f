import type { RecordedFact } from '#event-store/event-store';
import { type EventId, type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
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
import { verifyEventSignature, verifyEventSignatureAside } from '#protocol/signing/sign-event';
import type { VerifyKey } from '#protocol/signing/signing-key';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import { StateTrie } from '#protocol/state-trie/state-trie';
import {
  historyVisibilityOf,
  type PduAccepted,
  type PduRedacted,
  pduTextOf,
  type StateChange,
} from '../facts/room-facts.js';

/** The key of a server under a key id, where it is known. */
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
  #version: RoomVersion | undefined;
  /** Whether a fact before cannot be read: nobody knows the state it left. */
  #isTorn = false;
  #isAgain = false;

  constructor(
    private readonly roomId: RoomId,
    private readonly keys: KeyRing,
    /** Takes what is found of a signature when that is known; without it, `check` waits for each signature. */
    private readonly aside?: (finding: Promise<Finding | undefined>) => void,
    /** Told of each event that its server signed only with keys that are not known. */
    private readonly onUnverifiable: (server: ServerName) => void = () => {},
  ) {}

  /** How many events are held: the current state. */
  get held(): number {
    return this.#state.size;
  }

  /**
   * What is wrong with the next fact of the stream; nothing where all is well. `isAgain`: it was checked before, and is only
   * needed for what comes behind it; then its signature is left out.
   */
  check(fact: RecordedFact, isAgain = false): Finding[] {
    const problems: string[] = [];
    this.#isAgain = isAgain;
    try {
      if (fact.type === 'pdu-accepted') this.#checkAccepted(fact, problems);
      else if (fact.type === 'pdu-redacted') this.#checkRedacted(fact, problems);
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
      this.skip();
    }
    return problems.map((problem) => ({ revision: fact.revision, problem }));
  }

  /**
   * Says that the next fact of the stream cannot be read. Those behind it are checked by themselves from then on, and no
   * longer against a state that nobody knows.
   */
  skip(): void {
    this.#isTorn = true;
  }

  #checkAccepted(fact: RecordedFact, problems: string[]): void {
    const body = JSON.parse(fact.data) as PduAccepted;
    const version = versionOf(body.room_version);
    const pdu = pduOf(fact, version);
    const event = parseRoomEvent(pdu, version, this.roomId);
    if (event.eventId !== body.event_id) problems.push(`the PDU's id is ${event.eventId}, not ${body.event_id}`);
    if (!hasContentHash(pdu, version)) problems.push(`${body.event_id}: the content hash does not match`);
    this.#checkVersion(event, version, problems);
    this.#checkSignature(fact, event, version, problems);
    if (this.#isTorn) return;
    this.#checkAuth(event, version, problems);
    this.#checkPlace(event, body, problems);
    this.#apply(event, body, problems);
  }

  #checkVersion(event: RoomEvent, version: RoomVersion, problems: string[]): void {
    this.#version ??= version;
    if (version === this.#version) return;
    problems.push(`${event.eventId}: of room version ${version.id} in a room of version ${this.#version.id}`);
  }

  /** Whether a signature of the sender's server holds, where one of its keys is known. */
  #checkSignature({ type, revision }: RecordedFact, event: RoomEvent, version: RoomVersion, problems: string[]): void {
    if (this.#isAgain) return;
    const { sender, pdu, eventId } = event;
    const server = serverNameOf(sender);
    const problem = `${type === 'pdu-redacted' ? 'the remains of ' : ''}${eventId}: the signature of ${server} does not hold`;
    const keyIds = listSigningKeyIds(pdu, server);
    const known = keyIds.flatMap((keyId) => {
      const key = this.keys(server, keyId);
      return key === undefined ? [] : [{ keyId, key }];
    });
    if (keyIds.length > 0 && known.length === 0) {
      // What remains of an event was counted with it.
      if (type === 'pdu-accepted') this.onUnverifiable(server);
    } else if (this.aside === undefined || keyIds.length === 0) {
      if (!known.some(({ keyId, key }) => verifyEventSignature(pdu, version, server, keyId, key)))
        problems.push(problem);
    } else {
      const checks = known.map(({ keyId, key }) => verifyEventSignatureAside(pdu, version, server, keyId, key));
      this.aside(Promise.all(checks).then((hold) => (hold.includes(true) ? undefined : { revision, problem })));
    }
  }

  #checkAuth(event: RoomEvent, version: RoomVersion, problems: string[]): void {
    if (event.type === 'm.room.create') this.#createEvent ??= event;
    const auth = selectAuthTypes(event, version).flatMap(({ type, stateKey }) => {
      const one = this.#state.get(stateKeyOf(type, stateKey));
      return one === undefined ? [] : [one];
    });
    try {
      checkEventAuth(event, version, authStateOf(auth, this.#createEvent));
    } catch (error) {
      problems.push(`${event.eventId}: not authorised by the state before it: ${(error as Error).message}`);
    }
  }

  /** Where the event stands in the graph, and what is recorded of the room at that place. */
  #checkPlace(event: RoomEvent, body: PduAccepted, problems: string[]): void {
    const { event_id: eventId } = body;
    const strangers = event.prevEvents.filter((id) => !this.#extremities.includes(id));
    if (strangers.length > 0) problems.push(`${eventId}: refers to ${strangers.join(', ')}, no extremity before it`);
    const expected = [...this.#extremities.filter((id) => !event.prevEvents.includes(id)), eventId];
    if (body.extremities.toSorted().join() !== expected.sort().join()) {
      problems.push(
        `${eventId}: the extremities after it are ${expected.join(', ')}, not ${body.extremities.join(', ')}`,
      );
    }
    const visibility = historyVisibilityOf(this.#state.get(stateKeyOf('m.room.history_visibility', ''))?.content ?? {});
    if (body.visibility !== visibility) {
      problems.push(`${eventId}: the history visibility at it is ${visibility}, not ${body.visibility}`);
    }
  }

  /**
   * The state after it. What goes on from here is named as the log names it, also where that is wrong: so each problem is told
   * once, not again for every event behind it.
   */
  #apply(event: RoomEvent, body: PduAccepted, problems: string[]): void {
    const { event_id: eventId } = body;
    this.#extremities = body.extremities;
    if (JSON.stringify(body.state) !== JSON.stringify(this.#effectOf(event, eventId))) {
      problems.push(`${eventId}: the state delta is not its own effect`);
    }
    if (event.stateKey !== undefined) {
      this.#state.set(stateKeyOf(event.type, event.stateKey), { ...event, eventId });
      this.#trie = this.#trie.set(event.type, event.stateKey, eventId);
    }
    if (this.#trie.rootHash !== body.root) {
      problems.push(`${eventId}: the state after it has the root ${this.#trie.rootHash}, not ${body.root}`);
    }
  }

  #effectOf({ type, stateKey }: RoomEvent, eventId: EventId): StateChange[] {
    if (stateKey === undefined) return [];
    const replaces = this.#state.get(stateKeyOf(type, stateKey))?.eventId;
    return [{ type, state_key: stateKey, event_id: eventId, ...(replaces === undefined ? {} : { replaces }) }];
  }

  #checkRedacted(fact: RecordedFact, problems: string[]): void {
    const body = JSON.parse(fact.data) as PduRedacted;
    const version = versionOf(body.room_version);
    const remains = pduOf(fact, version);
    // The id is the hash of what a redaction leaves: where it is a hash at all, it proves the remains; the signature does always.
    const eventId = eventIdOf(remains, version);
    if (eventId !== body.event_id) problems.push(`the remains of ${body.event_id} have the id ${eventId}`);
    const event = parseRoomEvent(remains, version, this.roomId);
    this.#checkSignature(fact, event, version, problems);
    // From here on the room decides by what remains (`noteRedacted` does the same for the worker).
    const key = event.stateKey === undefined ? undefined : stateKeyOf(event.type, event.stateKey);
    if (key !== undefined && this.#state.get(key)?.eventId === body.event_id) this.#state.set(key, event);
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
