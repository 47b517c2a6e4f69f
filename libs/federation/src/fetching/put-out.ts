import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import { isUserId, serverNameOf } from '#kernel/ids';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import type { Pdu } from '#protocol/room-event';
import { EndStay } from '#rooms/commands/end-stay';
import type { WaitingPdu } from '../facts/inbound-facts.js';
import { Peers } from '../peers/peers.js';
import { readPdu } from '../receive/told-pdu.js';
import { idsAsked } from './state-questions.js';

/**
 * Users here who were put out of a room by an event whose past is not to be had: who has nobody in a room any more is told nothing more of
 * it by most servers, also not what came before that.
 */
@Injectable()
export class PutOut {
  constructor(
    private readonly bus: CommandBus,
    @Inject(Peers) private readonly peers: Pick<Peers, 'askBytes'>,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /**
   * Ends such a stay (`EndStay`), where the server that has ended it says that this one is not in the room. Answers whether it did. Never
   * throws for a fault of that server.
   */
  async take(waiting: WaitingPdu): Promise<boolean> {
    const { roomId, origin, text } = waiting;
    const pdu = readPdu(text);
    if (!this.#isAboutSomebodyHere(pdu)) return false;
    return (await this.#isOut(waiting)) && this.bus.execute<EndStay, boolean>(new EndStay(origin, roomId, pdu));
  }

  /** So that no server is asked, whose answer may be as large as its room, because of any other event that waits. */
  #isAboutSomebodyHere({ type, sender, state_key: target }: Pdu): boolean {
    if (type !== 'm.room.member' || typeof target !== 'string' || target === sender) return false;
    return isUserId(target) && serverNameOf(target) === this.config.serverName;
  }

  async #isOut({ roomId, eventId, origin }: WaitingPdu): Promise<boolean> {
    try {
      await this.peers.askBytes(origin, idsAsked(roomId, eventId).request);
      return false;
    } catch (error) {
      // A server to which not all of the room has come yet refuses with a code of its own (MSC3895): it may tell later.
      if (error instanceof PeerRefused) return error.status === 403 && error.errcode === 'M_FORBIDDEN';
      if (error instanceof PeerUnavailable) return false;
      throw error;
    }
  }
}
