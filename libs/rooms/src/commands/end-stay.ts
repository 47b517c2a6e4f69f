import { Inject } from '@nestjs/common';
import { CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type DeviceId, isUserId, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import type { Pdu, RoomEvent } from '#protocol/room-event';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import { refuseByState } from '../receive/5-check-state-before.js';
import { judgeOutlier } from '../receive/judge-outlier.js';
import type { PreparedPdu } from '../receive/outcome.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { LeaveRoom } from './leave-room.js';
import { Receiving } from './receiving.js';

const MEMBER = 'm.room.member';

/**
 * Ends the stay of a user here by an event of another server that puts them out, and that has no place here, for nobody tells what came
 * before it. NOTSPEC: the user leaves then. The event counts where it ends the very membership that the user has, its own auth events allow
 * it, and so does the room as it is here: who may not put the user out here does so by no event of the past. Answers whether it counted.
 */
export class EndStay {
  constructor(
    readonly origin: ServerName,
    readonly roomId: RoomId,
    readonly pdu: Pdu,
  ) {}
}

@CommandHandler(EndStay)
export class EndStayHandler implements ICommandHandler<EndStay> {
  constructor(
    private readonly workers: RoomWorkers,
    private readonly receiving: Receiving,
    private readonly commands: CommandBus,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
  ) {}

  async execute({ origin, roomId, pdu }: EndStay): Promise<boolean> {
    const [prepared] = await this.receiving.prepareHere({ origin, roomId, pdus: [pdu] });
    if (prepared?.kind !== 'prepared' || prepared.isAltered === true) return false;
    const { event } = prepared;
    const userId = this.#findPutOut(event, origin);
    if (userId === undefined) return false;
    const { result: counts } = await this.workers.run(roomId, { actor: origin }, (turn) => endsStay(prepared, turn));
    if (!counts) return false;
    const { reason } = event.content;
    const requester = requesterFor(userId, event);
    await this.commands.execute(new LeaveRoom(requester, roomId, typeof reason === 'string' ? reason : undefined));
    return true;
  }

  /** The user here whom an event of a user of `origin` puts out; undefined for any other event. */
  #findPutOut({ type, stateKey, sender, content }: RoomEvent, origin: ServerName): UserId | undefined {
    const { membership } = content;
    const isEnd = type === MEMBER && (membership === 'leave' || membership === 'ban');
    if (!isEnd || stateKey === undefined || stateKey === sender || serverNameOf(sender) !== origin) return undefined;
    return isUserId(stateKey) && serverNameOf(stateKey) === this.author.serverName ? stateKey : undefined;
  }
}

async function endsStay(prepared: PreparedPdu, { head, known }: RoomTurn): Promise<boolean> {
  const { event } = prepared;
  const held = head.state.get(MEMBER, event.stateKey!);
  if (held === undefined || !event.authEvents.includes(held)) return false;
  const found = await known.find([held]);
  if (found.get(held)?.event.content['membership'] !== 'join') return false;
  const judged = await judgeOutlier(prepared, known);
  const isAllowed = judged.kind === 'outlier' && judged.header.reason === undefined;
  return isAllowed && (await refuseByState(event, head.state, found, known)) === undefined;
}

function requesterFor(userId: UserId, { eventId }: RoomEvent): Requester {
  return { userId, deviceId: '' as DeviceId, isAdmin: false, requestId: eventId };
}
