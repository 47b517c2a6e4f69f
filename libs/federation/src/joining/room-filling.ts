import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { RoomId, ServerName } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { RunsUnderWay } from '#kernel/runs-under-way';
import { LOGGER, type Logger } from '#observability/logger';
import { inTurns } from '#projections/turn';
import { FillRoom, type RoomFilled } from '#rooms/commands/fill-room';
import { ReceivedEvents, type RoomInPart } from '#rooms/queries/received-events';
import { KeyRing } from '../keys/key-ring.js';
import { eventsOf } from './join-answer.js';
import { LargeJoins } from './large-joins.js';
import { RestOfRoom } from './rest-of-room.js';
import { ServersToAsk } from './servers-to-ask.js';
import { signingKeysOf } from './signing-keys-of.js';

/** How many servers are asked in one go. */
const MOST_SERVERS = 5;

/** Brings the rest of rooms here of which a part was told: server-server API, "Retrieving state". */
@Injectable()
export class RoomFilling {
  /** Others than those of joins: who joins a room anew holds the whole of it while the rest of what was told before comes. */
  readonly #large = new LargeJoins();
  readonly #underWay = new RunsUnderWay<RoomId, Position | 'whole' | undefined>();

  constructor(
    private readonly bus: CommandBus,
    private readonly rest: RestOfRoom,
    private readonly keys: KeyRing,
    private readonly servers: ServersToAsk,
    private readonly received: ReceivedEvents,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Asks some servers in turn, those that are named first; who asks while that is under way waits for the same. Answers up to where the facts are
   * once all of the room is here, `whole` where it was before, undefined where no server told the rest. Never throws for a fault of
   * another server; throws where the log or the views cannot be reached.
   */
  fill(roomId: RoomId, first: readonly ServerName[] = []): Promise<Position | 'whole' | undefined> {
    return this.#underWay.run(roomId, () => this.#fill(roomId, first));
  }

  async #fill(roomId: RoomId, first: readonly ServerName[]): Promise<Position | 'whole' | undefined> {
    const partial = await this.received.findPartial(roomId);
    if (partial === undefined) return 'whole';
    const letIn = [...first, partial.via];
    const servers = await this.servers.of({ roomId, servers: letIn });
    for (const server of servers.slice(0, MOST_SERVERS)) {
      const filled = await this.#fillFrom(server, roomId, partial, letIn.includes(server));
      if (filled !== undefined) return filled;
    }
    return undefined;
  }

  async #fillFrom(
    server: ServerName,
    roomId: RoomId,
    { eventId }: RoomInPart,
    letsIn: boolean,
  ): Promise<Position | 'whole' | undefined> {
    try {
      const filled = await this.#large.run(async (beforeMore) => {
        const told = await this.rest.askFor(server, { roomId, eventId }, { letsIn, beforeMore });
        await this.keys.fetch(await inTurns(signingKeysOf(eventsOf(told))));
        return this.bus.execute<FillRoom, RoomFilled>(new FillRoom(server, roomId, told));
      });
      if (filled.kind === 'whole') return 'whole';
      if (filled.kind === 'filled') return filled.position;
      this.logger.info(
        { roomId, eventId, server, reason: filled.reason },
        'the rest of a room that was told does not do',
      );
    } catch (error) {
      if (!(error instanceof PeerRefused) && !(error instanceof PeerUnavailable)) throw error;
      this.logger.debug({ roomId, eventId, server, reason: error.message }, 'the rest of a room could not be had');
    }
    return undefined;
  }
}
