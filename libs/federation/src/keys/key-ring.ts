import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { KeyedQueue } from '#kernel/keyed-queue';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { Pauses } from '#kernel/pauses';
import { RunsUnderWay } from '#kernel/runs-under-way';
import { Slots } from '#kernel/slots';
import { VIEWS, type Views } from '#projections/views';
import { encodeBase64 } from '#protocol/signing/base64';
import { listSigningKeyIds, verifyJson } from '#protocol/signing/sign-json';
import { parseVerifyKey } from '#protocol/signing/signing-key';
import type { ServerKey, ServerKeys, WantedKey } from '#rooms/server-keys';
import type { ServerKeysTold } from '../facts/server-key-facts.js';
import { SERVER_KEY_ROWS } from '../projections/server-keys.projector.js';
import { type KnownKeys, NO_KEYS, validityOf } from '../receive/known-keys.js';
import { AskForKeys } from './ask-for-keys.js';
import { inTime } from '../peers/in-time.js';
import { OwnKeys } from './own-keys.js';
import { ServerKeyLog } from './server-key-log.js';

/** So many servers are in memory; the views have the others. */
const SERVERS = 20_000;
/** Where keys of more servers than this are wanted at once, as for a join, the notaries are asked first: some of them are gone. */
const MANY = 32;
/** So many of many are asked at a time. Who asks a few waits for none of these. */
const AT_ONCE = 64;
/** Nobody waits longer, and no more of many are asked then. What comes later is known for the next time. */
const LONGEST_MS = 30_000;
/**
 * Who just told its keys is not asked for others for a minute: anybody can sign with a key that there is not. Who tells nothing of use,
 * or of whom notaries know nothing, is asked ever more rarely; who cannot be reached `Peers` leaves alone.
 */
const PAUSE = { firstMs: 60_000, mostMs: 15 * 60_000, capacity: SERVERS } as const;

/** The keys of other servers: what this process knows of them, and how it comes to know more. */
@Injectable()
export class KeyRing implements ServerKeys {
  readonly #known = new LruCache<ServerName, ReadonlyMap<string, ServerKey>>(SERVERS);
  readonly #underWay = new RunsUnderWay<ServerName, void>();
  readonly #slots = new Slots(AT_ONCE);
  readonly #turns = new KeyedQueue<ServerName>();
  readonly #asked: Pauses<ServerName>;
  readonly #notariesAsked: Pauses;

  constructor(
    private readonly own: OwnKeys,
    private readonly log: ServerKeyLog,
    private readonly asker: AskForKeys,
    @Inject(VIEWS) private readonly views: Pick<Views, 'getMany'>,
    @Inject(CLOCK) stopwatch: Stopwatch,
  ) {
    this.#asked = new Pauses(stopwatch, PAUSE);
    this.#notariesAsked = new Pauses(stopwatch, PAUSE);
  }

  /** For metrics. */
  get caches(): Readonly<Record<string, CacheNumbers>> {
    return {
      'server-keys': this.#known.numbers,
      'servers-asked-for-keys': this.#asked.numbers,
      'notaries-asked-for-keys': this.#notariesAsked.numbers,
    };
  }

  /** A key from memory: `fetch` brings it there. */
  find(serverName: ServerName, keyId: string): ServerKey | undefined {
    if (serverName === this.own.serverName) return this.own.find(keyId);
    return this.#known.get(serverName)?.get(keyId);
  }

  /**
   * Brings what can be had of these keys into memory: from the views, and where those do not have it, or what is not valid for long
   * enough, from the servers themselves and from notaries; for half a minute at most. Never throws for a fault of another server.
   */
  async fetch(wanted: readonly WantedKey[]): Promise<void> {
    await this.load(serversOf(this.#lacking(wanted)));
    // Another process may have been told more than this one knows.
    await Promise.all(serversOf(this.#lacking(wanted)).map((server) => this.#catchUp(server)));
    const lacking = this.#lacking(wanted);
    if (lacking.length === 0) return;
    const waiting = new AbortController();
    try {
      await inTime(this.#ask(lacking, waiting.signal), LONGEST_MS);
    } finally {
      waiting.abort();
    }
  }

  async #ask(wanted: readonly WantedKey[], signal: AbortSignal): Promise<void> {
    const isMany = serversOf(wanted).length > MANY;
    if (isMany) await inTime(this.#askNotaries(wanted), LONGEST_MS / 2);
    await this.askServers(serversOf(this.#lacking(wanted)), signal);
    if (!isMany) await this.#askNotaries(this.#lacking(wanted));
  }

  /** Brings what the views have of these servers into memory, of those that are not there, and asks nobody. */
  async load(servers: readonly ServerName[]): Promise<void> {
    const missing = servers.filter((server) => this.#known.get(server) === undefined);
    if (missing.length === 0) return;
    for (const [server, known] of await this.told(missing)) {
      // What came meanwhile is newer than the views.
      if (this.#known.get(server) === undefined) this.#learn(server, known);
    }
  }

  /** All that the views have of these servers. */
  async told(servers: readonly ServerName[]): Promise<Map<ServerName, KnownKeys>> {
    const keys = servers.map((name) => [name] as const);
    const rows = await SERVER_KEY_ROWS.getMany(this.views, keys);
    return new Map(rows.flatMap((row, i) => (row === undefined ? [] : [[servers[i]!, row]])));
  }

  /**
   * Asks these servers themselves, but those that were just asked or are left alone; of many none any more after the signal. An answer to a
   * join can name as many as it likes, of which each may take its time.
   */
  async askServers(servers: readonly ServerName[], signal?: AbortSignal): Promise<void> {
    const ask = (server: ServerName): Promise<void> => this.#askServer(server);
    const inSlots = (server: ServerName): Promise<void> =>
      this.#slots.run(async () => {
        if (signal?.aborted !== true) await ask(server);
      });
    await Promise.all(servers.map(servers.length > MANY ? inSlots : ask));
  }

  async #catchUp(server: ServerName): Promise<void> {
    const known = await this.log.load(server);
    if (known !== NO_KEYS) this.#learn(server, known);
  }

  #lacking(wanted: readonly WantedKey[]): WantedKey[] {
    return wanted.filter(({ serverName, keyId, validAt }) => {
      if (serverName === this.own.serverName) return false;
      const known = this.find(serverName, keyId);
      return known === undefined || (!known.isOld && known.validUntil < validAt);
    });
  }

  /** Asks a server, once at a time. */
  #askServer(server: ServerName): Promise<void> {
    return this.#underWay.run(server, () => this.#takeFromServer(server));
  }

  async #takeFromServer(server: ServerName): Promise<void> {
    if (!this.#asked.isOver(server)) return;
    const answer = await this.asker.ofServer(server);
    if (answer === 'unavailable') return;
    if (answer === 'refused') return this.#asked.lengthen(server);
    this.#asked.begin(server);
    await this.#keep(server, answer);
  }

  async #askNotaries(wanted: readonly WantedKey[]): Promise<void> {
    for (const notary of this.asker.notaries) {
      if (notary === this.own.serverName) continue;
      // In turn: what is wanted by the next one as well may have come with the answer to this one.
      await this.#turns.run(notary, () => this.#askNotary(notary, this.#lacking(wanted)));
    }
  }

  async #askNotary(notary: ServerName, wanted: readonly WantedKey[]): Promise<void> {
    const pauseOf = (server: ServerName): string => `${notary} ${server}`;
    const asked = wanted.filter(
      ({ serverName }) => serverName !== notary && this.#notariesAsked.isOver(pauseOf(serverName)),
    );
    if (asked.length === 0) return;
    await this.load([notary]);
    await this.#askServer(notary);
    const hasSigned = (document: JsonObject): boolean =>
      listSigningKeyIds(document, notary).some((keyId) => {
        const key = this.find(notary, keyId);
        return key !== undefined && !key.isOld && verifyJson(document, notary, keyId, key.key);
      });
    const told = await this.asker.ofNotary(notary, asked, hasSigned);
    if (told === undefined) return;
    await Promise.all(told.map((one) => this.#keep(one.server, one.told)));
    const inVain = new Set(serversOf(this.#lacking(asked)));
    for (const server of serversOf(asked)) {
      if (inVain.has(server)) this.#notariesAsked.lengthen(pauseOf(server));
      else this.#notariesAsked.begin(pauseOf(server));
    }
  }

  async #keep(server: ServerName, told: ServerKeysTold): Promise<void> {
    this.#learn(server, await this.log.keep(server, told));
  }

  #learn(server: ServerName, { keys }: KnownKeys): void {
    const before = this.#known.get(server);
    const known = new Map<string, ServerKey>();
    for (const [keyId, one] of Object.entries(keys)) {
      // Who checks many signatures together knows a key by its object.
      const same = before?.get(keyId)?.key;
      const isSame = same !== undefined && encodeBase64(same.publicKey) === one.public_key;
      const key = isSame ? same : parseVerifyKey(one.public_key);
      if (key !== undefined) known.set(keyId, { key, ...validityOf(one) });
    }
    this.#known.set(server, known);
  }
}

function serversOf(wanted: readonly WantedKey[]): ServerName[] {
  return [...new Set(wanted.map(({ serverName }) => serverName))];
}
