import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock, type Stopwatch } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { Slots } from '#kernel/slots';
import { LOGGER, type Logger } from '#observability/logger';
import { VIEWS, type Views } from '#projections/views';
import { encodeBase64 } from '#protocol/signing/base64';
import { parseVerifyKey } from '#protocol/signing/signing-key';
import type { ServerKey, ServerKeys, WantedKey } from '#rooms/server-keys';
import type { KnownKeys } from '../receive/known-keys.js';
import { readSignedKeys } from '../receive/read-key-document.js';
import { SERVER_KEY_ROWS } from '../projections/server-keys.projector.js';
import { KEY_SOURCES, type KeySources } from './key-sources.js';
import { OwnKeys } from './own-keys.js';
import { ServerKeyLog } from './server-key-log.js';

/** So many servers are in memory; the views have the others. */
const SERVERS = 20_000;
/** So many servers are asked at a time. */
const AT_ONCE = 32;

/** The keys of other servers: what this process knows of them, and how it comes to know more. */
@Injectable()
export class KeyRing implements ServerKeys {
  readonly #known = new LruCache<ServerName, ReadonlyMap<string, ServerKey>>(SERVERS);
  readonly #underWay = new Map<ServerName, Promise<void>>();
  readonly #slots = new Slots(AT_ONCE);

  constructor(
    private readonly own: OwnKeys,
    private readonly log: ServerKeyLog,
    @Inject(KEY_SOURCES) private readonly sources: KeySources,
    @Inject(VIEWS) private readonly views: Pick<Views, 'getMany'>,
    @Inject(CLOCK) private readonly clock: Clock & Stopwatch,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#known.numbers;
  }

  /** A key from memory: `fetch` brings it there. */
  find(serverName: ServerName, keyId: string): ServerKey | undefined {
    if (serverName === this.own.serverName) return this.own.find(keyId);
    return this.#known.get(serverName)?.get(keyId);
  }

  /**
   * Brings what can be had of these keys into memory: from the views, and from their servers what those do not have or what is not valid
   * for long enough. Never throws for a fault of another server.
   */
  async fetch(wanted: readonly WantedKey[]): Promise<void> {
    await this.load(this.#lacking(wanted).map(({ serverName }) => serverName));
    const servers = new Set(this.#lacking(wanted).map(({ serverName }) => serverName));
    await Promise.all([...servers].map((server) => this.#ask(server)));
  }

  /** Brings what the views have of these servers into memory, and asks nobody. */
  async load(servers: readonly ServerName[]): Promise<void> {
    const names = [...new Set(servers)];
    if (names.length === 0) return;
    const rows = await SERVER_KEY_ROWS.getMany(
      this.views,
      names.map((name) => [name] as const),
    );
    rows.forEach((row, i) => row !== undefined && this.#learn(names[i]!, row));
  }

  #lacking(wanted: readonly WantedKey[]): WantedKey[] {
    return wanted.filter(({ serverName, keyId, validAt }) => {
      if (serverName === this.own.serverName) return false;
      const known = this.find(serverName, keyId);
      return known === undefined || (!known.isOld && known.validUntil < validAt);
    });
  }

  /** Asks a server, once at a time. */
  #ask(server: ServerName): Promise<void> {
    let underWay = this.#underWay.get(server);
    if (underWay === undefined) {
      underWay = this.#slots.run(() => this.#keep(server)).finally(() => this.#underWay.delete(server));
      this.#underWay.set(server, underWay);
    }
    return underWay;
  }

  async #keep(server: ServerName): Promise<void> {
    const fetchedTs = this.clock.now();
    try {
      const document = await this.sources.ask(server);
      const read = readSignedKeys(document, server);
      if (typeof read === 'string') throw new PeerUnavailable(`Its keys cannot be read: ${read}`);
      this.#learn(server, await this.log.keep(server, { fetched_ts: fetchedTs, document }));
    } catch (error) {
      if (!(error instanceof PeerUnavailable || error instanceof PeerRefused)) throw error;
      this.logger.debug({ server, reason: error.message }, 'the keys of another server could not be had');
    }
  }

  /** What was known of a server stays known: the views may be behind. */
  #learn(server: ServerName, { keys }: KnownKeys): void {
    const known = new Map(this.#known.get(server));
    for (const [keyId, { public_key: publicKey, valid_until, is_old = false }] of Object.entries(keys)) {
      const before = known.get(keyId);
      const isSame = before !== undefined && encodeBase64(before.key.publicKey) === publicKey;
      const key = isSame ? before.key : parseVerifyKey(publicKey);
      if (key === undefined) continue;
      const isNewer =
        !isSame || (is_old && !before.isOld) || (is_old === before.isOld && valid_until > before.validUntil);
      if (isNewer) known.set(keyId, { key, validUntil: valid_until, isOld: is_old });
    }
    this.#known.set(server, known);
  }
}
