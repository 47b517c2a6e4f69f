import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { isServerName, type ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { Slots } from '#kernel/slots';
import { redact } from '#protocol/redaction/redact';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { addSignature, verifyJsonAside } from '#protocol/signing/sign-json';
import { parseVerifyKey, type VerifyKey } from '#protocol/signing/signing-key';
import {
  isBeyondPolicy,
  type Policy,
  policyEventIdOf,
  type PolicyQuestion,
  type PolicySignature,
  type PolicyVerdict,
} from '#rooms/room-policy';
import { Peers } from '../peers/peers.js';
import { isFault, isRefusal, reasonOf, toSender } from './policy-faults.js';

/** "The Key ID for the `ed25519` key in `m.room.policy` is always" this. */
const KEY_ID = 'ed25519:policy_server';
const PATH = '/_matrix/policy/v1/sign';
/** For how long an event waits for its policy server, whether somebody sends it or it was received. */
const WAIT_MS = 10_000;
/** So many events of others are asked for at a time, of all rooms; those that wait for their turn do so no longer. */
const AT_ONCE = 16;

const ALLOWED: PolicyVerdict = Object.freeze({ isAllowed: true });

/** The server that a room has asked to be its policy server. */
interface PolicyServer {
  readonly name: ServerName;
  /** By which its word is known; undefined where what the room names is no key. */
  readonly key: VerifyKey | undefined;
}

/**
 * The policy servers of rooms: server-server API, "Policy Servers". One has a say where the room's `m.room.policy` names it, with a key, and
 * somebody of it is in the room. It signs what it wants there; for what has its signature already it is not asked.
 */
@Injectable()
export class PolicyServers {
  /** For the rooms. PERF: of a room that names none nothing is asked. */
  readonly policy: Policy;
  readonly #slots = new Slots(AT_ONCE);
  readonly #outcomes = { signed: 0, refused: 0, unavailable: 0 };

  constructor(
    private readonly peers: Pick<Peers, 'ask'>,
    private readonly waitMs = WAIT_MS,
  ) {
    const judge = (event: RoomEvent, question: PolicyQuestion): Promise<PolicyVerdict> => this.#judge(event, question);
    const concerns: Policy['concerns'] = (state) => policyEventIdOf(state) !== undefined;
    this.policy = Object.assign(judge, { concerns });
  }

  /** What became of what was asked so far, for metrics. */
  get outcomes(): Readonly<Record<string, number>> {
    return this.#outcomes;
  }

  async #judge(event: RoomEvent, { isOwn, version, policyEvent, isThere }: PolicyQuestion): Promise<PolicyVerdict> {
    const server = policyEvent && readPolicyServer(policyEvent.content);
    if (server === undefined || !isThere || isBeyondPolicy(event)) return ALLOWED;
    if (await hasSigned(server, event, version)) return ALLOWED;
    try {
      const signed = await this.#askInTime(server, event, version, isOwn);
      this.#outcomes.signed++;
      return { isAllowed: true, signed };
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#outcomes[isRefusal(error) ? 'refused' : 'unavailable']++;
      if (isOwn) throw toSender(error);
      const reason = `Not signed by the room's policy server: ${reasonOf(error)}`;
      return { isAllowed: false, reason, ...(isRefusal(error) ? {} : { isUnanswered: true }) };
    }
  }

  async #askInTime(
    server: PolicyServer,
    event: RoomEvent,
    version: RoomVersion,
    isOwn: boolean,
  ): Promise<PolicySignature> {
    const signal = AbortSignal.timeout(this.waitMs);
    try {
      if (isOwn) return await this.#ask(server, event, version, signal);
      return await this.#slots.run(() => this.#askTwice(server, event, version, signal), signal);
    } catch (error) {
      if (!signal.aborted || error instanceof MatrixError) throw error;
      throw new PeerUnavailable(`${server.name}: no answer within ${this.waitMs} ms`, { cause: error });
    }
  }

  /** Nobody says again what was received: a server that is only busy is asked once more, in the time that there is. */
  async #askTwice(
    server: PolicyServer,
    event: RoomEvent,
    version: RoomVersion,
    signal: AbortSignal,
  ): Promise<PolicySignature> {
    try {
      return await this.#ask(server, event, version, signal);
    } catch (error) {
      if (!(error instanceof PeerRefused) || error.status !== 429) throw error;
      await delay(error.retryAfterMs ?? this.waitMs / 2, undefined, { signal });
      return this.#ask(server, event, version, signal);
    }
  }

  /** "Asking for a Policy Server signature on an event". Throws PeerRefused, PeerUnavailable, and M_FORBIDDEN where the answer is no such signature. */
  async #ask(
    server: PolicyServer,
    event: RoomEvent,
    version: RoomVersion,
    signal: AbortSignal,
  ): Promise<PolicySignature> {
    signal.throwIfAborted();
    const { name } = server;
    const { unsigned: _, ...content } = event.pdu;
    // An event waits for it: also where it did not answer before. "The policy server name might be the same as the event's origin": a program of its own, to
    // which what stands before this server leads that path. Where nothing does this server answers, as one that is no policy server.
    const asked = { timeoutMs: this.waitMs, signal, insists: true, mayBeOurs: true } as const;
    const request = { method: 'POST', path: PATH, content, ...asked } as const;
    const signature = signatureIn(await this.peers.ask(name, request), name);
    if (signature === undefined) throw new MatrixError('M_FORBIDDEN', 'it has not signed the event');
    const signatures = addSignature(event.pdu['signatures'], name, KEY_ID, signature);
    if (!(await hasSigned(server, { ...event, pdu: { ...event.pdu, signatures } }, version))) {
      throw new MatrixError('M_FORBIDDEN', 'it has not signed the event with the key that the room names');
    }
    return { signer: name, keyId: KEY_ID, signature };
  }
}

/** The policy server that a room's `m.room.policy` names; undefined where it does not say what it must for that. */
function readPolicyServer({ via, public_keys: keys }: JsonObject): PolicyServer | undefined {
  const key = isJsonObject(keys) ? keys['ed25519'] : undefined;
  if (typeof via !== 'string' || !isServerName(via) || typeof key !== 'string') return undefined;
  return { name: via, key: parseVerifyKey(key) };
}

function signatureIn(answer: JsonObject, server: ServerName): string | undefined {
  const given = Object.hasOwn(answer, server) ? answer[server] : undefined;
  const signature = isJsonObject(given) ? given[KEY_ID] : undefined;
  return typeof signature === 'string' ? signature : undefined;
}

/** "Validating Policy Server signatures": as all signatures of an event it is one of what a redaction leaves of it. */
async function hasSigned({ name, key }: PolicyServer, { pdu }: RoomEvent, version: RoomVersion): Promise<boolean> {
  return key !== undefined && verifyJsonAside(redact(pdu, version), name, KEY_ID, key);
}
