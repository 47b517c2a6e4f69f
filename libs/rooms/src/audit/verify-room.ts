import type { RecordedFact } from '#event-store/event-store';
import { withParts } from '#event-store/fact-parts';
import { type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { messageOf } from '#kernel/message-of';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { authorisingServerOf } from '#protocol/event-auth/check-auth-events';
import { parseRoomEvent } from '#protocol/parse-room-event';
import { redact } from '#protocol/redaction/redact';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { hasContentHash } from '#protocol/signing/content-hash';
import { eventIdOf } from '#protocol/signing/reference-hash';
import { listSigningKeyIds } from '#protocol/signing/sign-json';
import { verifyEventSignature, verifyEventSignatureAside } from '#protocol/signing/sign-event';
import type { VerifyKey } from '#protocol/signing/signing-key';
import { isThirdPartyInvite } from '../receive/2-check-signatures.js';
import type { JoinCompleted, JoinFilled, StateLearnt, StateTaken } from '../facts/join-facts.js';
import type { OutlierStored, PduAccepted, PduRedacted, PduRejected } from '../facts/room-facts.js';
import type { SoftFailureLifted } from '../facts/lifted-facts.js';
import { type ChangeTold, ROOM_PARTS } from '../facts/told-in-parts.js';
import { pduOf, versionOf } from './pdu-of-fact.js';
import type { PlacedFact } from './placed-fact.js';
import { VerifiedGraph } from './verified-graph.js';

/** When an event says that it was signed, and whether keys must have been valid then by the rules of its room. */
export interface SignedAt {
  readonly ts: number;
  readonly isEnforced: boolean;
}

/** The key of a server under a key id, where it is known; `not-valid` where nobody ever took it for valid at that time. */
export type KeyRing = (serverName: string, keyId: string, signedAt: SignedAt) => VerifyKey | 'not-valid' | undefined;

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
  #graph: VerifiedGraph | undefined;
  #version: RoomVersion | undefined;
  /** Whether a fact before cannot be read: nobody knows the state it left. */
  #isTorn = false;
  #isAgain = false;
  /** The revision of the fact before. */
  #last = -1;
  /** The parts that stand right before the next fact. */
  #parts: RecordedFact[] = [];

  constructor(
    private readonly roomId: RoomId,
    private readonly keys: KeyRing,
    /** Takes what is found of a signature when that is known; without it, `check` waits for each signature. */
    private readonly aside?: (finding: Promise<Finding | undefined>) => void,
    /** Told of each event that its server signed only with keys that are not known. */
    private readonly onUnverifiable: (server: ServerName) => void = () => {},
  ) {}

  /** How many events are held: those of the current state and, where others write to the room too, of those before it. */
  get held(): number {
    return this.#graph?.held ?? 0;
  }

  /**
   * What is wrong with the next fact of the stream; nothing where all is well. `isAgain`: it was checked before, and is only
   * needed for what comes behind it; then its signature is left out.
   */
  check(fact: RecordedFact, isAgain = false): Finding[] {
    const leftOut = fact.type === 'pdu-redacted' ? [] : this.end();
    this.#last = fact.revision;
    return [...leftOut, ...this.#check(fact, isAgain)];
  }

  /** What is wrong with that nothing follows on the last fact, but for what the next ones may say. */
  end(): Finding[] {
    const problems = this.#isTorn ? [] : (this.#graph?.redactions.takeLeftOut() ?? []);
    return problems.map((problem) => ({ revision: this.#last, problem }));
  }

  #check(fact: RecordedFact, isAgain: boolean): Finding[] {
    const problems: string[] = [];
    this.#isAgain = isAgain;
    try {
      if (fact.type === 'change-told') return this.#checkPart(fact);
      if (isOfPdu(fact.type)) this.#checkPdu(fact.type, fact, problems);
      else if (fact.type === 'state-learnt') this.#checkLearnt(fact, problems);
      else if (fact.type === 'join-completed') this.#checkCompleted(fact, problems);
      else if (fact.type === 'join-filled' && !this.#isTorn)
        problems.push(...(this.#graph?.checkFilled(JSON.parse(fact.data) as JoinFilled) ?? ['there is no join']));
      else if (fact.type === 'pdu-redacted') this.#checkRedacted(fact, problems);
      else if (fact.type === 'soft-failure-lifted') this.#checkLifted(fact, problems);
      else if (fact.type === 'room-purged') this.#beginAnew();
    } catch (error) {
      problems.push(messageOf(error));
      this.skip();
    }
    // Those behind which what they are parts of did not come say nothing.
    this.#parts = [];
    return problems.map((problem) => ({ revision: fact.revision, problem }));
  }

  /**
   * Says that the next fact of the stream cannot be read. Those behind it are checked by themselves from then on, and no
   * longer against a state that nobody knows.
   */
  skip(): void {
    this.#isTorn = true;
  }

  #checkPdu(type: PduFactType, fact: RecordedFact, problems: string[]): void {
    const body = JSON.parse(fact.data) as AnyBody;
    const version = versionOf(body.room_version);
    const pdu = pduOf(fact, version);
    const event = parseRoomEvent(pdu, version, this.roomId);
    if (event.eventId !== body.event_id) problems.push(`the PDU's id is ${event.eventId}, not ${body.event_id}`);
    // Where its content is not what was signed, only what a redaction leaves is there; the id and the signature prove no more.
    const isReduced = !hasContentHash(pdu, version);
    const isErased = isReduced && fact.metadata.erased !== undefined;
    const isKnownAsReduced = isErased || (body.origin !== undefined && isRedacted(pdu, version));
    if (isReduced && !isKnownAsReduced) problems.push(`${body.event_id}: the content hash does not match`);
    // Where another server told another create event of a room that is not here, nothing counts that was told before.
    const isCreate = type === 'outlier-stored' && event.type === 'm.room.create';
    if (isCreate && this.#graph?.isOtherBeginning(event.eventId) === true) this.#beginAnew();
    this.#checkVersion(event, version, problems);
    this.#checkSignature(fact, event, version, problems);
    this.#checkCarried(body, version, problems);
    if (this.#isTorn) return;
    this.#graph ??= new VerifiedGraph(version, (one) => this.#isForged(one, version));
    if (isErased) this.#graph.noteErased(body.event_id);
    const whole = this.#wholeOf(fact, body);
    // What stands on it names it as the log does, also where that is wrong: so each problem is told once.
    const named = { ...event, eventId: body.event_id };
    if (type === 'outlier-stored') problems.push(...this.#graph.checkOutlier(named, whole));
    else if (type === 'state-taken') problems.push(...this.#graph.checkTaken(named, whole));
    else problems.push(...this.#graph.check(named, { type, body: whole }));
  }

  #checkPart(fact: RecordedFact): Finding[] {
    const problems: string[] = [];
    const body = JSON.parse(fact.data) as ChangeTold;
    if (body.part === 1) this.#parts = [];
    this.#parts.push(fact);
    this.#checkCarried(body, versionOf(body.room_version), problems);
    return problems.map((problem) => ({ revision: fact.revision, problem }));
  }

  /** What a fact says together with its parts. Throws where these are not the ones right before it. */
  #wholeOf(fact: RecordedFact, body: AnyBody): AnyBody {
    if (ROOM_PARTS.count(fact) === 0) return body;
    const whole = JSON.parse(withParts(fact, this.#parts, ROOM_PARTS).data) as AnyBody;
    if (whole.parts !== undefined)
      throw new Error(`${body.event_id}: what it was told in parts is not right before it`);
    return whole;
  }

  #beginAnew(): void {
    this.#graph = this.#version = undefined;
    this.#isTorn = false;
  }

  /** The events that a fact carries because they are current again. */
  #checkCarried(
    { event_id: eventId, state_pdus: carried = {} }: Pick<PduAccepted, 'event_id' | 'state_pdus'>,
    version: RoomVersion,
    problems: string[],
  ): void {
    for (const [id, text] of Object.entries(carried)) {
      const pdu = parseJson(text, { lenient: !version.strictCanonicalJson });
      const isThat = isJsonObject(pdu) && eventIdOf(pdu, version) === id;
      if (!isThat || !(hasContentHash(pdu, version) || isRedacted(pdu, version)))
        problems.push(`${eventId}: what it carries as ${id} is not that`);
    }
  }

  #checkLearnt(fact: RecordedFact, problems: string[]): void {
    if (this.#isTorn) return;
    const body = JSON.parse(fact.data) as StateLearnt;
    if (this.#graph === undefined) problems.push(`the state before ${body.event_id} is told before any event`);
    else problems.push(...this.#graph.checkLearnt(body));
  }

  #checkCompleted(fact: RecordedFact, problems: string[]): void {
    if (this.#isTorn) return;
    const { event_id: eventId, partial } = JSON.parse(fact.data) as JoinCompleted;
    if (this.#graph?.isExtremity(eventId) !== true) problems.push(`the join is completed without ${eventId}`);
    else if (partial !== undefined) this.#graph.notePartial(eventId);
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
    const what = `${type === 'pdu-redacted' ? 'the remains of ' : ''}${eventId}: `;
    const problem = `${what}the signature of ${server} does not hold`;
    const keyIds = listSigningKeyIds(pdu, server);
    // Who invites by a third-party identifier need not be of the server that sends the invitation on.
    if (keyIds.length === 0 && isThirdPartyInvite(event)) return;
    const found = keyIds.map((keyId) => ({ keyId, key: this.keys(server, keyId, signedAtOf(event, version)) }));
    const known = found.flatMap(({ keyId, key }) => (typeof key === 'object' ? [{ keyId, key }] : []));
    if (known.length === 0 && found.some(({ key }) => key === 'not-valid')) {
      problems.push(`${what}${server} signed it with a key that was not valid then`);
    } else if (keyIds.length > 0 && known.length === 0) {
      // What remains of an event was counted with it.
      if (type !== 'pdu-redacted') this.onUnverifiable(server);
    } else if (this.aside === undefined || keyIds.length === 0) {
      if (!known.some(({ keyId, key }) => verifyEventSignature(pdu, version, server, keyId, key)))
        problems.push(problem);
    } else {
      const checks = known.map(({ keyId, key }) => verifyEventSignatureAside(pdu, version, server, keyId, key));
      this.aside(Promise.all(checks).then((hold) => (hold.includes(true) ? undefined : { revision, problem })));
    }
  }

  /** Of a membership that a server has to authorise: whether one of its signatures does not hold. */
  #isForged(event: RoomEvent, version: RoomVersion): boolean {
    const server = authorisingServerOf(event, version);
    if (server === undefined) return false;
    const { pdu } = event;
    return listSigningKeyIds(pdu, server).some((keyId) => {
      const key = this.keys(server, keyId, signedAtOf(event, version));
      return typeof key === 'object' && !verifyEventSignature(pdu, version, server, keyId, key);
    });
  }

  #checkLifted({ data }: RecordedFact, problems: string[]): void {
    const { event_id: eventId } = JSON.parse(data) as SoftFailureLifted;
    if (!this.#isTorn)
      problems.push(...(this.#graph?.checkLifted(eventId) ?? [`${eventId}: is let in, and is not here`]));
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
    if (this.#isTorn) return;
    // Of a room without events nothing can be redacted.
    this.#graph ??= new VerifiedGraph(version, (one) => this.#isForged(one, version));
    const by = body.ordered === undefined ? body.redacted_by : undefined;
    problems.push(...this.#graph.checkRedacted({ ...event, eventId: body.event_id }, by));
  }
}

/** What a fact about one PDU of the room says. */
type AnyBody = PduAccepted & PduRejected & OutlierStored & StateTaken;

/** The facts that are about one PDU of the room. */
type PduFactType = PlacedFact['type'] | 'outlier-stored' | 'state-taken';

const PDU_FACTS: ReadonlySet<string> = new Set<PduFactType>([
  'pdu-accepted',
  'pdu-soft-failed',
  'pdu-rejected',
  'outlier-stored',
  'state-taken',
]);

function isOfPdu(type: string): type is PduFactType {
  return PDU_FACTS.has(type);
}

function signedAtOf({ originServerTs: ts }: RoomEvent, { enforceKeyValidity: isEnforced }: RoomVersion): SignedAt {
  return { ts, isEnforced };
}

/** Whether a PDU holds no more than a redaction leaves of it. */
function isRedacted(pdu: JsonObject, version: RoomVersion): boolean {
  const lenient = !version.strictCanonicalJson;
  return canonicalJson(redact(pdu, version), { lenient }) === canonicalJson(pdu, { lenient });
}
