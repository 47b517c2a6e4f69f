import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { Slots } from '#kernel/slots';
import { LOGGER, type Logger } from '#observability/logger';
import type { WantedKey } from '#rooms/server-keys';
import type { ServerKeysTold } from '../facts/server-key-facts.js';
import { Peers } from '../peers/peers.js';
import { readSignedKeys } from '../receive/read-key-document.js';

/** What was told of the keys of a server. */
export interface KeysTold {
  readonly server: ServerName;
  readonly told: ServerKeysTold;
}

const TIMEOUT_MS = 10_000;
const MOST_BYTES = 128 * 1024;
/** A notary is asked for so many servers at once, and may tell each of their keys in a document of its own. */
const SERVERS_AT_ONCE = 50;
const QUERIES_AT_ONCE = 8;
const MOST_BYTES_OF_MANY = 4 * 1024 * 1024;
const MOST_DOCUMENTS = 500;
const KEYS_OF_SERVER = 10;

/** Asks other servers for their keys, and notaries for those of servers that do not answer. What does not hold is left out. */
@Injectable()
export class AskForKeys {
  constructor(
    private readonly peers: Peers,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'federationNotaries'>,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Whom to ask where a server does not answer, in this order. */
  get notaries(): readonly ServerName[] {
    return this.config.federationNotaries;
  }

  /**
   * What a server tells of its keys; `unavailable` where it is left alone or cannot be reached, and `refused` where it is there and
   * what it says is of no use.
   */
  async ofServer(server: ServerName): Promise<ServerKeysTold | 'unavailable' | 'refused'> {
    const fetched_ts = this.clock.now();
    const limits = { timeoutMs: TIMEOUT_MS, maxBytes: MOST_BYTES };
    try {
      const document = await this.peers.ask(server, { method: 'GET', path: '/_matrix/key/v2/server', ...limits });
      const read = readSignedKeys(document, server);
      if (typeof read !== 'string') return { fetched_ts, document };
      this.logger.warn({ server, reason: read }, 'another server tells keys that do not count');
      return 'refused';
    } catch (error) {
      return this.#outcomeOf(error);
    }
  }

  /** What a notary tells of the keys of others, as far as both have signed it; undefined where it does not answer. */
  async ofNotary(
    notary: ServerName,
    wanted: readonly WantedKey[],
    hasSigned: (document: JsonObject) => boolean,
  ): Promise<KeysTold[] | undefined> {
    const queries = this.#queriesFor(wanted);
    const slots = new Slots(QUERIES_AT_ONCE);
    const answers: Promise<KeysTold[] | undefined>[] = [];
    for (let at = 0; at < queries.length; at += SERVERS_AT_ONCE) {
      const some = Object.fromEntries(queries.slice(at, at + SERVERS_AT_ONCE));
      answers.push(slots.run(() => this.#query(notary, some, hasSigned)));
    }
    const told = (await Promise.all(answers)).filter((answer) => answer !== undefined);
    return told.length === 0 ? undefined : told.flat();
  }

  #queriesFor(wanted: readonly WantedKey[]): [ServerName, JsonObject][] {
    const now = this.clock.now();
    const byServer = new Map<ServerName, Record<string, JsonObject>>();
    for (const { serverName, keyId, validAt } of wanted) {
      let keys = byServer.get(serverName);
      if (keys === undefined) byServer.set(serverName, (keys = {}));
      // What is signed with a later time than now is no reason to ask for what nobody can have.
      const query = { minimum_valid_until_ts: Math.min(validAt, now) };
      if (Object.keys(keys).length < KEYS_OF_SERVER) keys[keyId] = query;
    }
    return [...byServer];
  }

  async #query(
    notary: ServerName,
    server_keys: JsonObject,
    hasSigned: (document: JsonObject) => boolean,
  ): Promise<KeysTold[] | undefined> {
    const limits = { timeoutMs: 2 * TIMEOUT_MS, maxBytes: MOST_BYTES_OF_MANY };
    const fetched_ts = this.clock.now();
    try {
      const request = { method: 'POST', path: '/_matrix/key/v2/query', content: { server_keys }, ...limits } as const;
      const { server_keys: documents } = await this.peers.ask(notary, request);
      if (!Array.isArray(documents)) return [];
      return documents.slice(0, MOST_DOCUMENTS).flatMap((document: JsonValue): KeysTold[] => {
        if (!isJsonObject(document) || !hasSigned(document)) return [];
        const server = Object.keys(server_keys).find((name) => name === document['server_name']) as ServerName;
        const counts = server !== undefined && typeof readSignedKeys(document, server) !== 'string';
        return counts ? [{ server, told: { fetched_ts, notary, document } }] : [];
      });
    } catch (error) {
      return this.#outcomeOf(error) === 'refused' ? [] : undefined;
    }
  }

  #outcomeOf(error: unknown): 'unavailable' | 'refused' {
    if (error instanceof PeerUnavailable) return 'unavailable';
    if (error instanceof PeerRefused) return 'refused';
    throw error;
  }
}
