import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { RoomId, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { CacheNumbers } from '#kernel/lru-cache';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { Slots } from '#kernel/slots';
import type { SpaceElsewhere, SpacesElsewhere } from '#rooms/spaces-elsewhere';
import { TimedCache } from '../discovery/timed-cache.js';
import { ServersToAsk } from '../joining/servers-to-ask.js';
import { pathOf } from '../peers/path-of.js';
import { Peers } from '../peers/peers.js';
import { readSpace } from './read-space.js';

/** "Responses to this endpoint should be cached for a period of time"; that there is none, too. */
const KEEP_MS = 5 * 60_000;
const KEEP_NONE_MS = 60_000;
const CAPACITY = 100;
const MAX_BYTES = 512 * 1024;
/** So many servers are asked for one room, one after another, and for so many rooms at a time. */
const MOST_SERVERS = 4;
const AT_ONCE = 10;
const TIMEOUT_MS = 7_000;

/** Rooms as other servers tell of them: server-server API, `GET /hierarchy/{roomId}`. */
@Injectable()
export class PeersSpaces implements SpacesElsewhere {
  readonly #kept: TimedCache<SpaceElsewhere | undefined>;
  readonly #slots = new Slots(AT_ONCE);

  constructor(
    private readonly peers: Peers,
    private readonly servers: ServersToAsk,
    @Inject(CLOCK) stopwatch: Stopwatch,
  ) {
    this.#kept = new TimedCache(CAPACITY, stopwatch, async (key) => {
      const [roomId, via] = JSON.parse(key) as [RoomId, ServerName[]]; // as `find` wrote it
      const found = await this.#slots.run(() => this.#ask(roomId, via));
      return [found, found === undefined ? KEEP_NONE_MS : KEEP_MS];
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#kept.numbers;
  }

  find(roomId: RoomId, via: readonly ServerName[]): Promise<SpaceElsewhere | undefined> {
    return this.#kept.get(JSON.stringify([roomId, via.slice(0, MOST_SERVERS)]));
  }

  async #ask(roomId: RoomId, via: readonly ServerName[]): Promise<SpaceElsewhere | undefined> {
    const path = pathOf('/_matrix/federation/v1/hierarchy/:roomId', { roomId }, { suggested_only: false });
    const request = { method: 'GET', path, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES } as const;
    for (const server of (await this.servers.of({ roomId, servers: via })).slice(0, MOST_SERVERS)) {
      const answer = await orNothing(this.peers.ask(server, request));
      const space = answer && readSpace(answer);
      if (space?.described.room_id === roomId) return space;
    }
    return undefined;
  }
}

/** What one server does not tell another one may. */
async function orNothing(asked: Promise<JsonObject>): Promise<JsonObject | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof PeerRefused || error instanceof PeerUnavailable) return undefined;
    throw error;
  }
}
