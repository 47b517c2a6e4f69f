import { Injectable } from '@nestjs/common';
import { type EventId, type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { isHere } from '../decide/room-head.js';
import { isLetInByTurn } from '../worker/is-let-in-by-turn.js';
import { getKnown } from '../receive/known-room.js';
import { RoomWorkers } from '../worker/room-workers.js';

/** So many events are looked up while the room is held. */
const AT_ONCE = 1_000;

/** A room of which only a part of the state is here, by the join event, and the server that let that in. */
export interface RoomInPart {
  readonly eventId: EventId;
  readonly via: ServerName;
}

/** What this server has of a room, as of the log: for who fetches the rest of other servers. Also of a room that is being joined. */
@Injectable()
export class ReceivedEvents {
  constructor(private readonly workers: RoomWorkers) {}

  /** Those of some events that are not here, each once: neither with their place nor as part of an auth chain or of a state. */
  async listUnknown(roomId: RoomId, eventIds: Iterable<EventId>): Promise<EventId[]> {
    const wanted = [...new Set(eventIds)];
    const unknown: EventId[] = [];
    for (let at = 0; at < wanted.length; at += AT_ONCE) {
      const some = wanted.slice(at, at + AT_ONCE);
      const known = await this.workers.look(roomId, (turn) => turn.known.find(some));
      unknown.push(...some.filter((eventId) => known?.has(eventId) !== true));
    }
    return unknown;
  }

  /** The version of a room that is here or is being joined, as of the log; undefined for any other. */
  async findVersion(roomId: RoomId): Promise<RoomVersion | undefined> {
    const here = this.workers.findVersion(roomId);
    if (here !== undefined) return here;
    return this.workers.look(roomId, async ({ head }) =>
      isHere(head) || head.join !== undefined ? head.version : undefined,
    );
  }

  /** What is known of a room of which only a part of the state is here, as of the log; undefined for any other. */
  findPartial(roomId: RoomId): Promise<RoomInPart | undefined> {
    return this.workers.look(roomId, async ({ head }) => head.partial);
  }

  /** Whether the access list of a room lets a server speak there: server-server API, "Server Access Control Lists (ACLs)". */
  async isLetIn(roomId: RoomId, server: ServerName): Promise<boolean> {
    return (await this.workers.look(roomId, (turn) => isLetInByTurn(turn, server))) !== false;
  }

  /** The forward extremities of a room; undefined where the log does not have the room. */
  listExtremities(roomId: RoomId): Promise<EventId[] | undefined> {
    return this.workers.look(roomId, async ({ head }) => head.extremities.map(({ eventId }) => eventId));
  }

  /** Those of the forward extremities of a room that users here made. */
  async listOwnEnds(roomId: RoomId): Promise<EventId[]> {
    const ends = await this.workers.look(roomId, async ({ head, known }) => {
      const ids = head.extremities.map(({ eventId }) => eventId);
      const events = await known.find(ids);
      return ids.filter((id) => serverNameOf(getKnown(events, id).event.sender) === known.ours);
    });
    return ends ?? [];
  }
}
