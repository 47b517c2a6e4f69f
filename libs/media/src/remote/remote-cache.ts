import { Inject, Injectable, Logger } from '@nestjs/common';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { PeerRefused } from '#kernel/peer-errors';
import { Slots } from '#kernel/slots';
import { mediaStream } from '../facts/media-facts.js';
import type { MediaRef } from '../media-id.js';
import { CacheRoom } from './cache-room.js';
import { MediaFetcher } from './media-fetcher.js';

/** So many are fetched of one server at a time; the others wait for their turn. There are more connections to it, for who sends it something. */
const AT_ONCE = 4;
/** For so long a server is believed that it does not have a medium. */
const ABSENT_MS = 60_000;
const REMEMBERED = 10_000;

/** Media of other servers, brought here when somebody asks for them: each once at a time, whoever waits for it. */
@Injectable()
export class RemoteCache {
  readonly #log = new Logger('media');
  /** By the stream of the medium. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** Of servers of which something is fetched: who is slow holds up itself alone. */
  readonly #servers = new Map<ServerName, { readonly slots: Slots; users: number }>();
  readonly #absent = new LruCache<string, { readonly until: number; readonly refusal: PeerRefused }>(REMEMBERED);

  constructor(
    private readonly fetcher: MediaFetcher,
    private readonly room: CacheRoom,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
  ) {}

  /** For metrics: what servers said they do not have. */
  get numbers(): CacheNumbers {
    return this.#absent.numbers;
  }

  /** Settles once the medium is here. Throws as MediaFetcher does. */
  bring(media: MediaRef, timeoutMs: number): Promise<void> {
    const key = mediaStream(media);
    const absent = this.#absent.get(key);
    if (absent !== undefined && absent.until > this.stopwatch.elapsed()) return Promise.reject(absent.refusal);
    let bringing = this.#underWay.get(key);
    if (bringing === undefined) {
      bringing = this.#bring(media, key, timeoutMs).finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, bringing);
    }
    return bringing;
  }

  async #bring(media: MediaRef, key: string, timeoutMs: number): Promise<void> {
    let bytes: number;
    try {
      bytes = await this.#inTurn(media.server, () => this.fetcher.fetch(media, timeoutMs));
    } catch (error) {
      if (error instanceof PeerRefused && error.status === 404) {
        this.#absent.set(key, { until: this.stopwatch.elapsed() + ABSENT_MS, refusal: error });
      }
      throw error;
    }
    // Nobody waits for others to give way; where that fails the next one tries again.
    void this.room.add(bytes).catch((error: unknown) => this.#log.warn({ err: error }, 'no room was made for media'));
  }

  async #inTurn<T>(server: ServerName, work: () => Promise<T>): Promise<T> {
    const turns = this.#servers.get(server) ?? { slots: new Slots(AT_ONCE), users: 0 };
    this.#servers.set(server, turns);
    turns.users++;
    try {
      return await turns.slots.run(work);
    } finally {
      if (--turns.users === 0) this.#servers.delete(server);
    }
  }
}
