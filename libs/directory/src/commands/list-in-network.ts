import { randomUUID } from 'node:crypto';
import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import type { RoomId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { ROOMS } from '#rooms/projections/room-summary.projector';
import { type NetworkRoomListed, networkStream } from '../facts/network-facts.js';
import { NETWORK_ROOMS } from '../projections/networks.projector.js';

/**
 * Puts a room into the directory of a network that is bridged to this server, or takes it out: application service API, "Published room
 * directories". Throws M_NOT_FOUND for a room that is not here.
 */
export class ListInNetwork {
  constructor(
    readonly requester: Requester,
    readonly instanceId: string,
    readonly roomId: RoomId,
    readonly listed: boolean,
  ) {}
}

const CAPACITY = 100;
const MOST_BYTES = 400;

/** The rooms of a network's directory. */
type ListedRooms = ReadonlySet<RoomId>;

@CommandHandler(ListInNetwork)
export class ListInNetworkHandler implements ICommandHandler<ListInNetwork> {
  readonly #networks: Aggregates<ListedRooms>;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
  ) {
    this.#networks = new Aggregates<ListedRooms>({
      store,
      clock,
      capacity: CAPACITY,
      initialState: new Set(),
      evolve: evolveNetwork,
      lastOfEach: ({ data }) => (JSON.parse(data) as NetworkRoomListed).room_id,
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#networks.numbers;
  }

  async execute({ requester, instanceId, roomId, listed }: ListInNetwork): Promise<void> {
    if (Buffer.byteLength(instanceId) > MOST_BYTES) throw new MatrixError('M_INVALID_PARAM', 'networkId: too long');
    if (!(await ROOMS.has(this.views, [roomId]))) throw new MatrixError('M_NOT_FOUND', 'Unknown room');
    const { userId: actor, deviceId: device, requestId: correlation } = requester;
    const data = JSON.stringify({ room_id: roomId, listed, by: actor } satisfies NetworkRoomListed);
    const { position } = await this.#networks.execute(
      networkStream(instanceId),
      (rooms) => (rooms.has(roomId) === listed ? [] : [{ id: randomUUID(), type: 'network-room-listed', data }]),
      { actor, device, correlation },
    );
    await this.views.whenProcessed(position, [NETWORK_ROOMS.name]);
  }
}

/** Folds the facts of a network. */
export function evolveNetwork(rooms: ListedRooms, { data }: Pick<NewFact, 'data'>): ListedRooms {
  const { room_id: roomId, listed } = JSON.parse(data) as NetworkRoomListed; // only this command writes it
  const next = new Set(rooms);
  if (listed) next.add(roomId);
  else next.delete(roomId);
  return next;
}
