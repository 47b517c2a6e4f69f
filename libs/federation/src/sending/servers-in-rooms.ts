import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, ServerName } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { type Position, START } from '#kernel/position';
import type { Listener } from '#projections/listener';
import { VIEWS, type Views } from '#projections/views';
import type { JoinCompleted } from '#rooms/facts/join-facts';
import { roomIdOfStream } from '#rooms/facts/room-facts';
import { PARTIAL_ROOMS } from '#rooms/projections/partial-rooms.projector';
import { findPartial } from '#rooms/queries/partial-rooms';
import {
  ASKED_ENDS,
  ROOM_SERVERS,
  ROOM_SERVERS_CHANGED,
  SERVER_ROOMS,
  type Stay,
} from '../projections/remote-servers.projector.js';
import {
  isOfPartial,
  type KnownServers,
  knownAfter,
  knownSettled,
  mayMoveMembers,
  NO_DOUBTS,
} from './known-servers.js';

/** What is known of a room, as soon as it is. */
interface Known {
  readonly reading: Promise<KnownServers>;
  read?: KnownServers;
}

/** A room that another server has to do with no more: it was put out of it, or left, or nobody of it is invited there any more. */
export interface LeftRoom {
  readonly roomId: RoomId;
  /** The revision of the fact, in the room's stream, by which that is so. */
  readonly revision: number;
}

/** How many rooms are remembered. */
const CAPACITY = 10_000;
/** PERF: of a set for each room with nobody else in it nothing would be told. */
const NOBODY: ReadonlySet<ServerName> = new Set();

/**
 * Which other servers have joined members in a room, and in which rooms a server is: never ours. As of the views; what was asked for is
 * remembered, and follows what is heard.
 */
@Injectable()
export class ServersInRooms implements Listener {
  readonly name = 'servers-in-rooms';
  readonly reads = [ROOM_SERVERS.name, ROOM_SERVERS_CHANGED.name, PARTIAL_ROOMS.name];
  readonly #known = new LruCache<RoomId, Known>(CAPACITY);
  /** Rooms that came with a part of their members, as far as this process has heard, with the servers that are in them besides. */
  readonly #partial = new Map<RoomId, readonly ServerName[]>();

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#known.numbers;
  }

  /** The servers with joined members now. The set is never changed. Throws ViewsUnavailable. */
  async of(roomId: RoomId): Promise<ReadonlySet<ServerName>> {
    return this.#withNamed(roomId, await this.#find(roomId));
  }

  /** The servers that were in the room right before the fact at a position: those that an event which comes there is sent to. */
  async before(roomId: RoomId, position: Position): Promise<ReadonlySet<ServerName>> {
    const known = await this.#find(roomId);
    const { changed, before } = known;
    // Asked for again they might be those of a later fact, which was heard in between.
    if (changed < position) return this.#withNamed(roomId, known);
    if (changed === position && before !== undefined) return before;
    const found = new Set<ServerName>();
    for (const standing of ['in', 'out'] as const) {
      for await (const page of ROOM_SERVERS.pages(this.views, { prefix: [roomId, standing] })) {
        for (const { key, value } of page) if (wasInBefore(value, position)) found.add(key[2]);
      }
    }
    // That their members were there was told later.
    const partial = await PARTIAL_ROOMS.get(this.views, [roomId]);
    if (partial !== undefined && wasInBefore(partial, position)) for (const one of partial.servers) found.add(one);
    found.delete(this.config.serverName);
    return found;
  }

  /** Whether it is known that no other server was in a room right before a position. PERF: waits for nothing. */
  isNobodyElseIn(roomId: RoomId, position: Position): boolean {
    if (this.#partial.has(roomId)) return false;
    const read = this.#known.get(roomId)?.read;
    return read !== undefined && read.servers.size === 0 && read.changed < position;
  }

  /** The rooms in which a server has joined members now. */
  async roomsOf(server: ServerName): Promise<RoomId[]> {
    const rooms: RoomId[] = [];
    for await (const page of SERVER_ROOMS.pages(this.views, { prefix: [server, 'in'] })) {
      for (const { key } of page) rooms.push(key[2]);
    }
    return rooms;
  }

  /** Whether a server came to a room, in which it is now, by a fact or after it. */
  async cameSince(roomId: RoomId, server: ServerName, since: Position): Promise<boolean> {
    const stay = await ROOM_SERVERS.get(this.views, [roomId, 'in', server]);
    return stay !== undefined && stay.since >= since;
  }

  /** The rooms that a server is not in any more since a fact, that one too. */
  async roomsLeftSince(server: ServerName, since: Position): Promise<LeftRoom[]> {
    const left: LeftRoom[] = [];
    for await (const page of SERVER_ROOMS.pages(this.views, { prefix: [server, 'out'] })) {
      for (const { key, value } of page) {
        const { until, ended_by: revision } = value;
        if (until !== undefined && until >= since && revision !== undefined) left.push({ roomId: key[2], revision });
      }
    }
    return left;
  }

  /** The invitations and knocks of users of a server that ended since a fact, that one too. */
  async asksEndedSince(server: ServerName, since: Position): Promise<LeftRoom[]> {
    const ended: LeftRoom[] = [];
    for await (const page of ASKED_ENDS.pages(this.views, { prefix: [server], from: [server, since] })) {
      for (const { value } of page) ended.push({ roomId: value.room_id, revision: value.revision });
    }
    return ended;
  }

  hear(facts: readonly RecordedFact[]): void {
    for (const fact of facts) {
      if (fact.type === 'room-purged') this.#forget(roomIdOfStream(fact.stream));
      else if (mayMoveMembers(fact)) this.#hear(fact);
      else if (isOfPartial(fact)) this.#hearOfPartial(fact);
    }
  }

  #hearOfPartial({ stream, type, data }: RecordedFact): void {
    const roomId = roomIdOfStream(stream);
    this.#known.delete(roomId);
    if (type === 'join-filled') this.#partial.delete(roomId);
    const { partial } = JSON.parse(data) as Partial<JoinCompleted>;
    if (partial !== undefined) this.#partial.set(roomId, partial.servers);
  }

  #forget(roomId: RoomId): void {
    this.#known.delete(roomId);
    this.#partial.delete(roomId);
  }

  /** With those that were named of a room of which a part is here. */
  #withNamed(roomId: RoomId, { servers }: KnownServers): ReadonlySet<ServerName> {
    const named = this.#partial.get(roomId);
    return named === undefined ? servers : this.#withoutOurs([...servers, ...named]);
  }

  #withoutOurs(servers: Iterable<ServerName>): ReadonlySet<ServerName> {
    const others = new Set(servers);
    others.delete(this.config.serverName);
    return others;
  }

  #hear(fact: RecordedFact): void {
    const roomId = roomIdOfStream(fact.stream);
    const known = this.#known.get(roomId);
    if (known === undefined) return;
    known.read = known.read && knownAfter(known.read, fact, this.config.serverName);
    if (known.read === undefined) this.#known.delete(roomId);
  }

  async #find(roomId: RoomId): Promise<KnownServers> {
    const known = this.#known.get(roomId);
    if (known?.read !== undefined) return known.read.doubtful.size === 0 ? known.read : this.#settle(roomId, known);
    if (known !== undefined) return known.reading;
    const found: Known = { reading: this.#read(roomId) };
    // Set before it is read: what changes meanwhile takes it away again.
    this.#known.set(roomId, found);
    found.reading.then(
      (read) => (found.read = read),
      () => this.#known.delete(roomId),
    );
    return found.reading;
  }

  async #read(roomId: RoomId): Promise<KnownServers> {
    const asOf = this.views.position(this.reads);
    const servers = new Set<ServerName>();
    for await (const page of ROOM_SERVERS.pages(this.views, { prefix: [roomId, 'in'] })) {
      for (const { key } of page) servers.add(key[2]);
    }
    for (const server of (await findPartial(this.views, roomId))?.servers ?? []) servers.add(server);
    servers.delete(this.config.serverName);
    const changed = (await ROOM_SERVERS_CHANGED.get(this.views, [roomId])) ?? START;
    return { servers: servers.size === 0 ? NOBODY : servers, changed, asOf, doubtful: NO_DOUBTS };
  }

  /** Finds out whether anybody is left of the doubtful servers. */
  async #settle(roomId: RoomId, known: Known): Promise<KnownServers> {
    const gone = new Map<ServerName, Position>();
    const stayed = new Map<ServerName, Position>();
    for (const [server, position] of known.read?.doubtful ?? []) {
      const isIn = await ROOM_SERVERS.has(this.views, [roomId, 'in', server]);
      (isIn ? stayed : gone).set(server, position);
    }
    // As it is by now.
    if (known.read === undefined) return this.#find(roomId);
    return (known.read = knownSettled(known.read, { gone, stayed }));
  }
}

function wasInBefore({ since, until }: Stay, position: Position): boolean {
  return since < position && (until === undefined || until >= position);
}
