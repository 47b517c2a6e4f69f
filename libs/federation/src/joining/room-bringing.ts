import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { PeerUnavailable } from '#kernel/peer-errors';
import type { Position } from '#kernel/position';
import { inTurns } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { ReceiveOutliers } from '#rooms/commands/receive-outliers';
import { ReceivePdus } from '#rooms/commands/receive-pdus';
import { ReceiveRoom, type RoomReceived } from '#rooms/commands/receive-room';
import { ReceiveState } from '#rooms/commands/receive-state';
import type { Received, Receipt } from '#rooms/commands/receiving';
import { findFilled } from '#rooms/queries/partial-rooms';
import { Errand } from '../fetching/errand.js';
import { MissingEvents } from '../fetching/missing-events.js';
import { KeyRing } from '../keys/key-ring.js';
import { eventsOf, findCreateEvent, type JoinAnswer } from './join-answer.js';
import { RoomFilling } from './room-filling.js';
import { signingKeysOf } from './signing-keys-of.js';

/** A join that another server has let into a room, and what it told of the room. */
export interface LetIn {
  readonly server: ServerName;
  readonly roomId: RoomId;
  readonly version: RoomVersion;
  readonly eventId: EventId;
  /** The join event as this server signed it. */
  readonly pdu: JsonObject;
  readonly answer: JoinAnswer;
}

/** So many events of a room that is here are received in one go. */
const AT_ONCE = 500;
/** How long the user waits for what happened since somebody here was in the room. */
const FILLED_WITHIN_MS = 10_000;
/** How long the user waits for the members of a room that can be spoken in already. */
const FILLED_AT_ONCE_MS = 2_000;
const LOOKS_EVERY_MS = 50;

/** Brings here what another server tells of a room to who joins it. */
@Injectable()
export class RoomBringing {
  constructor(
    private readonly bus: CommandBus,
    private readonly keys: KeyRing,
    private readonly missing: MissingEvents,
    private readonly filling: RoomFilling,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /**
   * Brings the room here, or where it is here already the join event with the state before it. Answers up to where the facts are;
   * undefined where the join was here before. Throws PeerUnavailable where what was told is no room that the user is in.
   */
  async bring(letIn: LetIn): Promise<Position | undefined> {
    const { server, roomId, version, answer } = letIn;
    const create = await inTurns(findCreateEvent(answer, version));
    await this.keys.fetch(await inTurns(signingKeysOf(eventsOf(answer))));
    const join = withSignaturesOf(letIn.pdu, answer.event);
    // Who leaves members out is in the room, whatever else it says.
    const servers = answer.servers && [...new Set([server, ...answer.servers])];
    const told = { create, authChain: answer.authChain, state: answer.state, join, servers };
    try {
      const received = await this.bus.execute<ReceiveRoom, RoomReceived>(
        new ReceiveRoom(server, roomId, version, told),
      );
      if (received.kind === 'joined')
        return servers === undefined ? received.position : this.#whenFilled(roomId, received.position);
      throw new PeerUnavailable(`What it told of the room does not do: ${received.reason}`);
    } catch (error) {
      // Somebody here was in the room before, or has just come in.
      if (error instanceof MatrixError && error.status === 409) return this.#catchUp(letIn, join);
      throw error;
    }
  }

  /**
   * Of most rooms the rest comes in no time: then the user is answered with all of it. It is the effect that fetches it (`FillRooms`), and
   * not this process too, which may be another one: what is told in parts by both is told by none.
   */
  async #whenFilled(roomId: RoomId, joined: Position): Promise<Position> {
    for (let waited = 0; waited < FILLED_AT_ONCE_MS; waited += LOOKS_EVERY_MS) {
      await delay(LOOKS_EVERY_MS, undefined, { ref: false });
      const until = await findFilled(this.views, roomId);
      if (until !== undefined) return until;
    }
    return joined;
  }

  /**
   * Of a room that is here, which is made whole first: only where its newest events are not, and nobody has them, the state is to be told.
   * Where nobody here was in it any more, that brings the room anew (`bringsAnew`).
   */
  async #catchUp(letIn: LetIn, join: JsonObject): Promise<Position | undefined> {
    const { server, roomId, version, eventId, answer } = letIn;
    if ((await this.filling.fill(roomId, [server])) === undefined)
      throw new PeerUnavailable('It does not tell the rest of the room');
    const receive = (): Promise<Receipt> => this.#receive(new ReceivePdus(server, roomId, [join]));
    const first = await receive();
    const [missing] = first.received;
    if (missing?.kind !== 'missing') return landed(missing, first.position);
    const errand = new Errand(roomId, [server], undefined, FILLED_WITHIN_MS);
    await this.missing.fetchBefore(errand, server, version, missing);
    const second = await receive();
    const [still] = second.received;
    if (still?.kind !== 'missing') return landed(still, second.position);
    // Somebody else joined the room meanwhile: of the state a part was told here.
    if (answer.servers !== undefined) {
      await this.missing.supply(new Errand(roomId, [server]), version, still);
      const third = await receive();
      return landed(third.received[0], third.position);
    }
    await this.#receiveOutliers(server, roomId, answer.authChain);
    const state = await this.#receiveOutliers(server, roomId, answer.state);
    const learnt = await this.bus.execute<ReceiveState, Receipt | Received>(
      new ReceiveState(server, roomId, eventId, state),
    );
    if ('kind' in learnt) throw new PeerUnavailable(`What it told of the room does not do: ${learnt.kind}`);
    return landed(learnt.received[0], learnt.position);
  }

  /** Answers which of them are here then. Those that rest on others of them are judged behind those, in whichever order they came. */
  async #receiveOutliers(server: ServerName, roomId: RoomId, events: Iterable<Uint8Array>): Promise<EventId[]> {
    const here = new Set<EventId>();
    let open = [...events];
    for (let before = Infinity; open.length > 0 && open.length < before;) {
      before = open.length;
      const waiting: Uint8Array[] = [];
      for (let at = 0; at < open.length; at += AT_ONCE) {
        const some = open.slice(at, at + AT_ONCE);
        const { received } = await this.#receive(new ReceiveOutliers(server, roomId, some));
        for (const one of received) if (one.kind !== 'dropped' && one.kind !== 'missing') here.add(one.eventId);
        // Those of them that are here then cost nothing when they are received again.
        if (received.some(({ kind }) => kind === 'missing')) waiting.push(...some);
      }
      open = waiting;
    }
    return [...here];
  }

  #receive(command: ReceivePdus | ReceiveOutliers): Promise<Receipt> {
    return this.bus.execute<ReceivePdus | ReceiveOutliers, Receipt>(command);
  }
}

function landed(received: Received | undefined, position: Position | undefined): Position | undefined {
  const outcome = received?.kind === 'known' ? received.outcome : received?.kind;
  if (outcome === 'accepted') return position;
  const reason = received !== undefined && 'reason' in received ? received.reason : undefined;
  throw new PeerUnavailable(`The join is ${outcome ?? 'not there'}${reason === undefined ? '' : `: ${reason}`}`);
}

/** Of what another server says of our event nothing counts but the signatures that it has added. */
export function withSignaturesOf(pdu: JsonObject, copy: JsonObject | undefined): JsonObject {
  const { signatures: own } = pdu;
  const given = copy?.['signatures'];
  if (!isJsonObject(given) || !isJsonObject(own)) return pdu;
  return { ...pdu, signatures: { ...given, ...own } };
}
