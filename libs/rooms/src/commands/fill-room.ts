import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId, ServerName } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import type { PartialRoom, RoomHead } from '../decide/room-head.js';
import { fillJoin } from '../joining/fill-join.js';
import { JoinIndex } from '../joining/join-index.js';
import { Joining } from '../joining/joining.js';
import { JoiningRoom } from '../joining/joining-room.js';
import { type LeftOut, type Pdus, RoomTelling } from '../joining/room-telling.js';
import { JoinLost } from '../worker/join-in-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { Receiving } from './receiving.js';

/**
 * Receives the rest of a room of which a part was told (`ReceiveRoom`, with `servers`): the whole state before the join event, and its auth
 * chain, as another server tells them (server-server API, `GET /state`). The room is whole then: nothing of it was judged by less.
 * Where what was told is no state, or not one that lets the join event in, the room stays as it is, and another server is to be asked.
 * It may be done again, also where it was left in its midst. Throws where the log cannot be reached.
 */
export class FillRoom {
  constructor(
    readonly origin: ServerName,
    readonly roomId: RoomId,
    readonly told: { readonly authChain: Pdus; readonly state: Pdus },
  ) {}
}

/** What became of it. `whole`: it was so before. */
export type RoomFilled =
  | { readonly kind: 'filled'; readonly position: Position; readonly leftOut: LeftOut }
  | { readonly kind: 'whole' }
  | { readonly kind: 'refused'; readonly reason: string; readonly leftOut: LeftOut };

@CommandHandler(FillRoom)
export class FillRoomHandler implements ICommandHandler<FillRoom> {
  constructor(
    private readonly workers: RoomWorkers,
    private readonly receiving: Receiving,
    private readonly joining: Joining,
    @Inject(EVENT_AUTHOR) private readonly author: Pick<EventAuthor, 'serverName'>,
  ) {}

  execute(command: FillRoom): Promise<RoomFilled> {
    return this.joining.fill(command.roomId, async () => {
      for (;;) {
        const head = await this.workers.look(command.roomId, async (turn) => turn.head);
        if (head?.partial === undefined) return { kind: 'whole' };
        try {
          return await this.#fill(command, head, head.partial);
        } catch (error) {
          // Another process was faster to begin, or took over what it believed to be left.
          if (!(error instanceof JoinLost)) throw error;
        }
        await this.joining.untilFillingIsLeft(command.roomId);
      }
    });
  }

  async #fill({ origin, roomId, told }: FillRoom, head: RoomHead, partial: PartialRoom): Promise<RoomFilled> {
    const { workers, receiving, joining } = this;
    const { store } = joining;
    const index = await JoinIndex.read(store, roomId);
    const before = index.lastWhole;
    if (before?.eventId !== partial.eventId) throw new Error(`${roomId}: the state before its join is not there`);
    const room = new JoiningRoom(roomId, head.version, head.createEvent, index, store);
    const telling = RoomTelling.resume(room, partial, origin, workers, receiving);
    await telling.storeRest(told);
    const join = await joining.readJoin(room, partial.eventId, origin);
    const refusal = await telling.learnRest(join, before.state, (state) => contradiction(before.state, state));
    const { leftOut } = telling;
    if (refusal !== undefined) return { kind: 'refused', reason: refusal, leftOut };
    const position = await fillJoin({
      room,
      begun: partial.revision,
      filledAt: telling.filledAt,
      join: join.event,
      origin,
      serverName: this.author.serverName,
      store,
      write: (task) => workers.join(roomId, { actor: origin }, task),
    });
    return { kind: 'filled', position, leftOut };
  }
}

/**
 * Why a whole state cannot be what was told a part of: by what was not told the users here were held to the rules, and they may have said
 * what it forbids.
 */
function contradiction(before: StateTrie, whole: StateTrie): string | undefined {
  const isNew =
    before.get('m.room.power_levels', '') === undefined && whole.get('m.room.power_levels', '') !== undefined;
  return isNew ? 'The power levels were not told with the join' : undefined;
}
