import { Injectable } from '@nestjs/common';
import { isEventId, type RoomId } from '#kernel/ids';
import { JsonNumber, type JsonObject } from '#kernel/json';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import type { TimedEvent, TimesElsewhere } from '#rooms/times-elsewhere';
import { ServersToAsk } from '../joining/servers-to-ask.js';
import { pathOf } from '../peers/path-of.js';
import { Peers } from '../peers/peers.js';

/** So many servers are asked, one after another: a client waits. */
const MOST_SERVERS = 3;
const TIMEOUT_MS = 5_000;

/** Events by their time as other servers know them: server-server API, `GET /timestamp_to_event/{roomId}`. */
@Injectable()
export class PeersTimes implements TimesElsewhere {
  constructor(
    private readonly peers: Peers,
    private readonly servers: ServersToAsk,
  ) {}

  async findByTime(roomId: RoomId, time: number, direction: 'b' | 'f'): Promise<TimedEvent | undefined> {
    const query = { ts: time, dir: direction };
    const path = pathOf('/_matrix/federation/v1/timestamp_to_event/:roomId', { roomId }, query);
    for (const server of (await this.servers.of({ roomId, servers: [] })).slice(0, MOST_SERVERS)) {
      try {
        const found = timedEventIn(await this.peers.ask(server, { method: 'GET', path, timeoutMs: TIMEOUT_MS }));
        if (found !== undefined) return found;
      } catch (error) {
        if (!(error instanceof PeerRefused || error instanceof PeerUnavailable)) throw error;
      }
    }
    return undefined;
  }
}

function timedEventIn({ event_id: eventId, origin_server_ts: time }: JsonObject): TimedEvent | undefined {
  const sentAt = typeof time === 'number' || time instanceof JsonNumber ? Number(time) : Number.NaN;
  if (typeof eventId !== 'string' || !isEventId(eventId) || !Number.isSafeInteger(sentAt)) return undefined;
  return { eventId, sentAt };
}
