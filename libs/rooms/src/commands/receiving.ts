import { Inject, Injectable, Optional } from '@nestjs/common';
import { EventStoreUnavailable } from '#event-store/event-store-errors';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import { eachInTurns } from '#projections/each-in-turns';
import type { Pdu } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { allowAll, type Policy, type PolicyQuestion, ROOM_POLICY } from '../room-policy.js';
import type { Arrival } from '../receive/judge-pdu.js';
import { getKnown } from '../receive/known-room.js';
import type { Accepted, AlreadyKnown, Dropped, MissingEvents, PreparedPdu } from '../receive/outcome.js';
import { preparePdu } from '../receive/prepare-pdu.js';
import { withPolicySignature } from '../receive/with-policy-signature.js';
import { SERVER_KEYS, type ServerKeys } from '../server-keys.js';
import { policyQuestionOf } from '../worker/policy-question.js';
import { receiveInTurn, receiveOutlierInTurn } from '../worker/receive-in-turn.js';
import type { FactContext, RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { checkingTogether } from '../worker/signature-batches.js';
import { type StagedPdu, StagingArea } from '../worker/staging-area.js';
import { UnknownRoom, unknownRoom } from '../worker/unknown-room.js';
import { InvitePermissions } from './invite-permissions.js';

/** What became of an event, or will: one that is missing others waits for them in the staging area. */
export type Received = Dropped | AlreadyKnown | MissingEvents | Landed;

/** The event is in the log. */
export interface Landed {
  readonly kind: 'accepted' | 'soft-failed' | 'rejected' | 'outlier';
  readonly eventId: EventId;
  /** Why it was refused; left out where it was not. */
  readonly reason?: string;
}

/** What receiving some events led to. */
export interface Receipt {
  /** For each of them, in their order, what there is to say once all that could be judged was. */
  readonly received: readonly Received[];
  /** As much for events that waited for them. */
  readonly released: readonly Received[];
  /** Up to where the facts are; undefined where there are none. */
  readonly position: Position | undefined;
  /** The most forward extremities that the room had after one of them. */
  readonly open: number;
}

/** Events that another server tells of a room. */
interface Told {
  readonly origin: ServerName;
  readonly roomId: RoomId;
  readonly pdus: readonly (Uint8Array | string | Pdu)[];
}

/** What judging one event led to. */
export interface Judged {
  readonly received: Received;
  readonly position?: Position;
  readonly open?: number;
}

/** The policy is to be asked for an event, by this; nothing was done. */
export interface ToBeAsked {
  readonly question: PolicyQuestion;
}

/** After so many times the room changes its policy too fast. */
const MOST_ASKED = 10;
/** How many events are prepared at the same time. */
const AT_ONCE = 256;

/** What the commands that receive events of other servers share: preparing them, judging them in turn, and letting them wait. */
@Injectable()
export class Receiving {
  readonly #staging = new StagingArea();
  readonly #keys: ServerKeys;

  constructor(
    private readonly workers: RoomWorkers,
    @Inject(SERVER_KEYS) keys: ServerKeys,
    @Inject(InvitePermissions) private readonly permissions: Pick<InvitePermissions, 'hide'>,
    @Optional() @Inject(ROOM_POLICY) private readonly policy?: Policy,
  ) {
    this.#keys = checkingTogether(keys);
  }

  /** For metrics: the staging area. */
  get numbers(): CacheNumbers {
    return this.#staging.numbers;
  }

  /** The version of a room; undefined where this server does not have it. */
  async findVersion(roomId: RoomId, origin: ServerName): Promise<RoomVersion | undefined> {
    // PERF: to wait for a turn of a busy room would keep its events from being prepared meanwhile (bench/receive.ts).
    const known = this.workers.findVersion(roomId);
    if (known !== undefined) return known;
    try {
      const { result } = await this.workers.run(roomId, { actor: origin }, async ({ head }) => head.version);
      return result;
    } catch (error) {
      if (error instanceof UnknownRoom) return undefined;
      throw error;
    }
  }

  /** As `prepare`, for a room that is here. Throws M_FORBIDDEN for any other. */
  async prepareHere({ roomId, origin, pdus }: Told): Promise<(PreparedPdu | Dropped)[]> {
    const version = await this.findVersion(roomId, origin);
    if (version === undefined) throw unknownRoom();
    return this.prepare(pdus, { roomId, version, origin });
  }

  /** Does what needs no room, some hundred events at a time: their signatures are checked together, on other cores. In the order of the events. */
  async prepare(
    inputs: readonly (Uint8Array | string | Pdu)[],
    room: { readonly roomId: RoomId; readonly version: RoomVersion; readonly origin: ServerName },
  ): Promise<(PreparedPdu | Dropped)[]> {
    const keys = this.#keys;
    const prepared: (PreparedPdu | Dropped)[] = [];
    for (let at = 0; at < inputs.length; at += AT_ONCE) {
      const some = inputs.slice(at, at + AT_ONCE);
      prepared.push(...(await eachInTurns(some, AT_ONCE, (input) => preparePdu(input, { ...room, keys }))));
    }
    return prepared;
  }

  /**
   * Judges an event when its turn comes: those asked for first are judged first. One that misses others waits for them from then
   * on. Throws where the log does not take what is to be written.
   */
  async judge(roomId: RoomId, pdu: PreparedPdu | Dropped, arrival: Arrival = {}): Promise<Judged> {
    if (pdu.kind === 'dropped') return { received: pdu };
    let asked = pdu;
    for (let tries = 0; tries < MOST_ASKED; tries++) {
      const staged = { pdu: asked, arrival };
      const { result, position } = await this.workers.receive(roomId, causeOf(pdu, arrival), (turn) =>
        this.judgeInTurn(turn, staged),
      );
      if (!('question' in result)) return { ...result, position };
      asked = await this.#ask(asked, result.question);
    }
    throw new EventStoreUnavailable('the room changes faster than its policy can be asked');
  }

  /** As `judge`, in a turn that is there: where the policy is to be asked, that is answered. */
  async judgeInTurn(turn: RoomTurn, staged: StagedPdu): Promise<Judged | ToBeAsked> {
    const { roomId } = turn;
    const { eventId } = staged.pdu.event;
    const outcome = await receiveInTurn(turn, staged.pdu, staged.arrival, (accepted) => this.#hide(turn, accepted));
    if (outcome.kind === 'unasked') {
      return { question: { isOwn: false, ...(await policyQuestionOf(turn, outcome.policyId)) } };
    }
    // Here and not later: what it waits for may be the next that is judged.
    if (outcome.kind === 'missing') this.#staging.add(roomId, staged, outcome);
    // Of what is dropped a better copy may wait.
    else if (outcome.kind !== 'dropped') this.#staging.remove(roomId, eventId);
    switch (outcome.kind) {
      case 'accepted':
        return { received: { kind: outcome.kind, eventId }, open: outcome.open };
      case 'soft-failed':
      case 'rejected':
        return { received: { kind: outcome.kind, eventId, reason: outcome.header.reason } };
      default:
        return { received: outcome };
    }
  }

  /** As `judge`, for a part of an auth chain or of a state. What it misses the caller gives again together with it. */
  async judgeOutlier(roomId: RoomId, pdu: PreparedPdu | Dropped, ofOtherRooms: readonly Pdu[] = []): Promise<Judged> {
    if (pdu.kind === 'dropped') return { received: pdu };
    const { result, position } = await this.workers.receive(roomId, { actor: pdu.origin }, (turn) =>
      receiveOutlierInTurn(turn, pdu, ofOtherRooms),
    );
    if (result.kind !== 'outlier') return { received: result };
    const { kind, event, header } = result;
    const reason = header.reason === undefined ? {} : { reason: header.reason };
    return { received: { kind, eventId: event.eventId, ...reason }, position };
  }

  /** Judges an event again that waits, for the state before it is here now. */
  async judgeWaiting(roomId: RoomId, eventId: EventId): Promise<Judged[]> {
    const staged = this.#staging.remove(roomId, eventId);
    return staged === undefined ? [] : [await this.judge(roomId, staged.pdu, staged.arrival)];
  }

  /** Judges all that waited for events which are here now, and what waited for those, and so on. */
  async settle(roomId: RoomId, judged: readonly Judged[]): Promise<Receipt> {
    const all = [...judged];
    for (let next = judged; next.length > 0;) {
      const released = next.flatMap(({ received }) => this.#release(roomId, received));
      next = await Promise.all(released.map(({ pdu, arrival }) => this.judge(roomId, pdu, arrival)));
      all.push(...next);
    }
    return receiptOf(all, judged.length);
  }

  /** The event with what the policy says of it, and with its signature where it gives one. */
  async #ask(pdu: PreparedPdu, question: PolicyQuestion): Promise<PreparedPdu> {
    const { policy = allowAll } = this;
    const said = await policy(pdu.event, question);
    const verdict = { ...said, of: question.policyEvent?.eventId };
    const signed = said.isAllowed ? said.signed : undefined;
    return { ...pdu, verdict, ...(signed && withPolicySignature(pdu.event, signed, question.version)) };
  }

  /**
   * What its user does not want to see is held before it is there: nobody has asked for it where its server did not. That of what the room takes alone, with
   * what it makes current again.
   */
  async #hide(turn: RoomTurn, { event, header, current }: Accepted): Promise<void> {
    if (header.history === true) return;
    const { type, stateKey, eventId } = event;
    if (stateKey !== undefined && current.get(type, stateKey) === eventId) await this.permissions.hide(event);
    // PERF: there may be as many as a room has members, and nearly none of them is of a one-to-one chat.
    const direct = Object.entries(header.state_pdus ?? {}).filter(([, text]) => text.includes('"is_direct":true'));
    if (direct.length === 0) return;
    const older = direct.map(([id]) => id as EventId);
    const known = await turn.known.find(older);
    for (const id of older) await this.permissions.hide(getKnown(known, id).event);
  }

  #release(roomId: RoomId, received: Received): StagedPdu[] {
    if (received.kind === 'dropped' || received.kind === 'missing') return [];
    const outcome = received.kind === 'known' ? received.outcome : received.kind;
    return this.#staging.release(roomId, received.eventId, outcome !== 'outlier');
  }
}

function causeOf({ origin }: PreparedPdu, { transaction }: Arrival): FactContext {
  return transaction === undefined ? { actor: origin } : { actor: origin, causation: transaction };
}

/** `count`: how many of them were received; the others were released by those. */
function receiptOf(judged: readonly Judged[], count: number): Receipt {
  const last = new Map<EventId, Received>();
  for (const { received } of judged.slice(count)) {
    if (received.kind !== 'dropped') last.set(received.eventId, received);
  }
  const received = judged.slice(0, count).map((one) => {
    if (one.received.kind === 'dropped') return one.received;
    const later = last.get(one.received.eventId);
    last.delete(one.received.eventId);
    return later ?? one.received;
  });
  const positions = judged.flatMap(({ position }) => position ?? []);
  return {
    received,
    released: [...last.values()],
    position: positions.reduce<Position | undefined>(
      (most, one) => (most === undefined || one > most ? one : most),
      undefined,
    ),
    open: judged.reduce((most, { open = 0 }) => Math.max(most, open), 0),
  };
}
