import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import { type EventId, type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import type { CacheNumbers } from '#kernel/lru-cache';
import { Pauses } from '#kernel/pauses';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import type { Pdu } from '#protocol/room-event';
import { type PeerRequest, Peers } from '../peers/peers.js';
import { ServersInRooms } from '../sending/servers-in-rooms.js';
import type { Errand } from './errand.js';

/** What is asked, and about which event: a server that did not have it is not asked for it again soon. */
interface Subject {
  readonly name: string;
  readonly eventId: EventId;
}

/** Something that any server in a room may be asked. What its answer says is undefined where it says nothing that can be used. */
export interface Question<T> extends Subject {
  readonly request: PeerRequest;
  read(answer: JsonObject): T | undefined;
}

/** As `Question`, of which the answer is too large to be parsed at once. Throws PeerUnavailable for what cannot be read. */
export interface LargeQuestion<T> extends Subject {
  readonly request: PeerRequest;
  readBytes(answer: Uint8Array): Promise<T | undefined>;
}

export type Answered<T> =
  | { readonly kind: 'answered'; readonly server: ServerName; readonly value: T }
  /** No server has it, of those that were asked. */
  | { readonly kind: 'nobody' }
  /** Some server that may have it could not be asked. */
  | { readonly kind: 'unavailable' };

/** How many servers are asked for one thing. */
const MOST_SERVERS = 6;
/** An answer has many events, of which one that nests too deeply is dropped by itself. */
const MAX_DEPTH = 1_000;
/** Who did not have something, or told what was of no use, is asked for the same again ever more rarely. */
const PAUSE = { firstMs: 60_000, mostMs: 24 * 60 * 60_000, growth: 4, capacity: 50_000 } as const;

/** Asks the servers in a room, one after another, until one has it. */
@Injectable()
export class AskServers {
  readonly #pauses: Pauses;
  /** With which of the servers of a large room it is begun. */
  #next = 0;

  constructor(
    @Inject(Peers) private readonly peers: Pick<Peers, 'ask' | 'askBytes' | 'isLeftAlone'>,
    @Inject(ServersInRooms) private readonly rooms: Pick<ServersInRooms, 'of'>,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Inject(CLOCK) stopwatch: Stopwatch,
  ) {
    this.#pauses = new Pauses(stopwatch, PAUSE);
  }

  /** For metrics: what servers did not have. */
  get numbers(): CacheNumbers {
    return this.#pauses.numbers;
  }

  /**
   * The servers to ask about a room: some first, then that where it was made, then some with members in it, others each time, for who came
   * late lacks what was before; who is left alone for now is not among those.
   */
  async listServers(roomId: RoomId, first: readonly ServerName[]): Promise<readonly ServerName[]> {
    const servers = new Set(first);
    const inRoom = await this.rooms.of(roomId);
    const maker = serverNameOf(roomId);
    if (maker !== undefined && inRoom.has(maker) && !this.peers.isLeftAlone(maker)) servers.add(maker);
    const others = [...inRoom];
    const from = others.length > MOST_SERVERS ? this.#next % others.length : 0;
    this.#next = from;
    for (const server of [...others.slice(from), ...others.slice(0, from)]) {
      if (servers.size >= MOST_SERVERS) break;
      this.#next++;
      if (!this.peers.isLeftAlone(server)) servers.add(server);
    }
    servers.delete(this.config.serverName);
    return [...servers];
  }

  /** Asks those of these servers that may have it, in turn. Never throws for a fault of another server. */
  async ask<T>(
    errand: Errand,
    question: Question<T> | LargeQuestion<T>,
    servers: readonly ServerName[],
  ): Promise<Answered<T>> {
    let kind: 'nobody' | 'unavailable' = 'nobody';
    for (const server of servers) {
      const name = nameOf(question, server);
      if (!this.#pauses.isOver(name)) continue;
      if (!errand.mayAsk()) return { kind: 'unavailable' };
      const value = await this.#askOne(errand, question, server);
      if (value === 'unavailable') kind = 'unavailable';
      else if (value === undefined) this.#pauses.lengthen(name);
      else return { kind: 'answered', server, value: value.found };
    }
    return { kind };
  }

  /** What a server has answered turned out to be of no use: it is not asked for it again soon. */
  blame(question: Subject, server: ServerName): void {
    this.#pauses.lengthen(nameOf(question, server));
  }

  async #askOne<T>(
    { signal }: Errand,
    question: Question<T> | LargeQuestion<T>,
    server: ServerName,
  ): Promise<{ readonly found: T } | 'unavailable' | undefined> {
    const request = { maxDepth: MAX_DEPTH, ...question.request, signal };
    try {
      const found =
        'readBytes' in question
          ? await question.readBytes(await this.peers.askBytes(server, request))
          : question.read(await this.peers.ask(server, request));
      return found === undefined ? undefined : { found };
    } catch (error) {
      if (error instanceof PeerRefused) return isForNow(error) ? 'unavailable' : undefined;
      if (error instanceof PeerUnavailable || signal.aborted) return 'unavailable';
      throw error;
    }
  }
}

function nameOf({ name, eventId }: Subject, server: ServerName): string {
  return `${name} ${eventId} ${server}`;
}

/** Whether a refusal says nothing of what was asked: it asks too often, or the server is in trouble. */
function isForNow({ status }: PeerRefused): boolean {
  return status === 429 || status >= 500;
}

/** The events of an answer's list, some at most; undefined where there is none. */
export function readPdus(value: JsonValue | undefined, most: number): readonly Pdu[] | undefined {
  return Array.isArray(value) ? value.slice(0, most).filter(isJsonObject) : undefined;
}
