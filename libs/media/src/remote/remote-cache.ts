import { Inject, Injectable, Logger } from '@nestjs/common';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import { Counted } from '#kernel/counted';
import type { ServerName, UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { Slots } from '#kernel/slots';
import { mediaStream } from '../facts/media-facts.js';
import { ContentInQuarantine, KeptContent } from '../kept-content.js';
import type { MediaRef } from '../media-id.js';
import type { ContentHash } from '../store/media-store.js';
import { CacheRoom } from './cache-room.js';
import { MediaFetcher } from './media-fetcher.js';

/** So many are fetched of one server at a time; the others wait for their turn. There are more connections to it, for who sends it something. */
const AT_ONCE = 4;
/** So many of one server may wait for that; and for so long, for its turn. */
const MOST_WAITING = 200;
/** And so many of all servers may be on their way for one user, whatever names of servers they make up. */
const MOST_OF_USER = 100;
const RETRY_MS = 5_000;
const WAIT_MS = 60_000;
/** For so long a server is believed that it does not have a medium, or does not give it. */
const REFUSED_MS = 60_000;
/** What is more than is taken stays that: to find that out again would take all of its bytes again. */
const TOO_LARGE_MS = 60 * 60_000;
const REMEMBERED = 10_000;
const MOST_OF_TEXT = 200;
/** Refusals that stay for a while. */
const LASTING: ReadonlySet<number> = new Set([400, 401, 403, 404, 410, 413]);

/** Why a medium was not brought, which holds for a while. */
interface Refusal {
  readonly error: Error;
  readonly until: number;
  /** The content that it has, where it was refused for that: as long as it is in quarantine. */
  readonly hash?: ContentHash;
}

/** Media of other servers, brought here when somebody asks for them: each once at a time, whoever waits for it. */
@Injectable()
export class RemoteCache {
  readonly #log = new Logger('media');
  /** By the stream of the medium. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** Of servers of which something is fetched: who is slow holds up itself alone. */
  readonly #servers = new Map<ServerName, { readonly slots: Slots; users: number }>();
  readonly #users = new Counted<UserId>();
  readonly #refused = new LruCache<string, Refusal>(REMEMBERED);

  constructor(
    private readonly fetcher: MediaFetcher,
    private readonly room: CacheRoom,
    private readonly kept: KeptContent,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
  ) {}

  /** For metrics: what was refused. */
  get numbers(): CacheNumbers {
    return this.#refused.numbers;
  }

  /**
   * Settles once the medium is here. Throws as MediaFetcher does, but M_NOT_FOUND where its content is in quarantine; and PeerUnavailable
   * where too many wait for its server, or it waited for too long itself. M_LIMIT_EXCEEDED where too many are brought for the user already.
   */
  async bring(media: MediaRef, by: UserId, timeoutMs: number): Promise<void> {
    const key = mediaStream(media);
    const refusal = this.#refused.get(key);
    if (refusal !== undefined && (await this.#holds(refusal))) throw refusal.error;
    let bringing = this.#underWay.get(key);
    if (bringing === undefined) {
      if (!this.#users.begin(by, MOST_OF_USER)) {
        const fields = { retry_after_ms: RETRY_MS };
        throw new MatrixError('M_LIMIT_EXCEEDED', 'You wait for too many media of other servers', { fields });
      }
      bringing = this.#bring(media, key, timeoutMs).finally(() => {
        this.#underWay.delete(key);
        this.#users.end(by);
      });
      this.#underWay.set(key, bringing);
    }
    return bringing;
  }

  async #holds({ until, hash }: Refusal): Promise<boolean> {
    if (hash !== undefined) return this.kept.isQuarantined(hash);
    return until > this.stopwatch.elapsed();
  }

  async #bring(media: MediaRef, key: string, timeoutMs: number): Promise<void> {
    let bytes: number;
    try {
      bytes = await this.#inTurn(media.server, () => this.fetcher.fetch(media, timeoutMs));
    } catch (error) {
      const refusal = refusalOf(error, this.stopwatch.elapsed());
      if (refusal === undefined) throw error;
      this.#refused.set(key, refusal);
      throw refusal.error;
    }
    // Nobody waits for others to give way; where that fails the next one tries again.
    void this.room.add(bytes).catch((error: unknown) => this.#log.warn({ err: error }, 'no room was made for media'));
  }

  async #inTurn<T>(server: ServerName, work: () => Promise<T>): Promise<T> {
    const turns = this.#servers.get(server) ?? { slots: new Slots(AT_ONCE), users: 0 };
    if (turns.slots.waiting >= MOST_WAITING) throw new PeerUnavailable(`${server}: too many media of it are asked for`);
    this.#servers.set(server, turns);
    turns.users++;
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(new PeerUnavailable(`${server}: busy with other media`)), WAIT_MS);
    try {
      return await turns.slots.run(() => {
        clearTimeout(timer);
        return work();
      }, patience.signal);
    } finally {
      clearTimeout(timer);
      if (--turns.users === 0) this.#servers.delete(server);
    }
  }
}

/** Undefined for what may be otherwise at the next try. */
function refusalOf(error: unknown, now: number): Refusal | undefined {
  if (error instanceof ContentInQuarantine) {
    return { error: new MatrixError('M_NOT_FOUND'), until: Infinity, hash: error.hash };
  }
  if (error instanceof MatrixError && error.errcode === 'M_TOO_LARGE') return { error, until: now + TOO_LARGE_MS };
  if (!(error instanceof PeerRefused && LASTING.has(error.status))) return undefined;
  return { error: shortened(error), until: now + REFUSED_MS };
}

/** Of what a server says besides, which may be long, nothing is remembered: a part of a text would hold all of it. */
function shortened({ status, errcode = '', body }: PeerRefused): PeerRefused {
  const copied = (text: unknown): string =>
    Buffer.from((typeof text === 'string' ? text : '').slice(0, MOST_OF_TEXT)).toString();
  return new PeerRefused(status, { errcode: copied(errcode) || null, error: copied(body['error']) });
}
