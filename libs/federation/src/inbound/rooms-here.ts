import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId } from '#kernel/ids';
import type { Listener } from '#projections/listener';
import { VIEWS, type Views } from '#projections/views';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { JOINS_ELSEWHERE } from '#rooms/projections/handshakes.projector';
import { ROOMS } from '#rooms/projections/room-summary.projector';
import { roomIdOfStream } from '#rooms/facts/room-facts';
import { PARTIAL_ROOMS } from '#rooms/projections/partial-rooms.projector';
import { findPartial } from '#rooms/queries/partial-rooms';
import { ReceivedEvents } from '#rooms/queries/received-events';
import { isServerIn } from '#rooms/reading/server-standing';

/** A room that this server has to do with. */
export interface RoomHere {
  readonly version: RoomVersion;
  /** Whether its users are in it; `coming`: a join is under way, or brought a part of it, and what comes meanwhile is for later. */
  readonly standing: 'in' | 'coming' | 'left';
}

/** Which rooms this server is in, as other servers send to them. */
@Injectable()
export class RoomsHere implements Listener {
  readonly name = 'rooms-here';
  readonly reads = [PARTIAL_ROOMS.name];
  /** By each join of them that is under way in this process. */
  readonly #expected = new Map<RoomId, readonly RoomVersion[]>();
  readonly #listeners = new Set<(roomId: RoomId) => void>();

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    private readonly received: ReceivedEvents,
  ) {}

  /** As of the views, and of the log for a room that these do not have; undefined for any other. */
  async find(roomId: RoomId): Promise<RoomHere | undefined> {
    const row = await ROOMS.get(this.views, [roomId]);
    const version = row && findRoomVersion(row.version);
    if (version !== undefined && (await isServerIn(this.views, roomId, this.config.serverName))) {
      const isPartial = (await findPartial(this.views, roomId)) !== undefined;
      return { version, standing: isPartial ? 'coming' : 'in' };
    }
    const expected = this.#expected.get(roomId)?.at(-1) ?? (await this.#findJoin(roomId));
    if (version !== undefined) return { version, standing: expected === undefined ? 'left' : 'coming' };
    const coming = expected ?? (await this.received.findVersion(roomId));
    return coming === undefined ? undefined : { version: coming, standing: 'coming' };
  }

  /** The version of a room that is joined by another process, or was by one that ended. */
  async #findJoin(roomId: RoomId): Promise<RoomVersion | undefined> {
    const [join] = await JOINS_ELSEWHERE.scan(this.views, { prefix: [roomId], limit: 1 });
    return join && findRoomVersion(join.value);
  }

  /**
   * Does what brings a room here. What other servers send to it meanwhile waits in the inbound queue: they do so as soon as they know of
   * the join, before it is known here that it has succeeded.
   */
  async expect<T>(roomId: RoomId, version: RoomVersion, task: () => Promise<T>): Promise<T> {
    this.#expected.set(roomId, [...(this.#expected.get(roomId) ?? []), version]);
    try {
      return await task();
    } finally {
      const others = [...(this.#expected.get(roomId) ?? [])];
      others.splice(others.indexOf(version), 1);
      if (others.length === 0) this.#expected.delete(roomId);
      else this.#expected.set(roomId, others);
      this.#settle(roomId);
    }
  }

  /** Once all of a room has come of which a part was here, what waits for that is tried again. */
  hear(facts: readonly RecordedFact[]): void {
    for (const { type, stream } of facts) if (type === 'join-filled') this.#settle(roomIdOfStream(stream));
  }

  #settle(roomId: RoomId): void {
    for (const listener of this.#listeners) listener(roomId);
  }

  /** Has a listener told of each room that was expected, whether it has come or not. It must not throw. */
  onSettled(listener: (roomId: RoomId) => void): void {
    this.#listeners.add(listener);
  }
}
