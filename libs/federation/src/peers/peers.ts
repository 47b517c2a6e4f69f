import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { ServerPlace } from '#http/outgoing/guarded-connector';
import {
  Outgoing,
  type OutgoingAnswer,
  OutgoingFailure,
  type OutgoingRequest,
  type StreamedAnswer,
} from '#http/outgoing/outgoing';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import type { CacheNumbers } from '#kernel/lru-cache';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { SOFTWARE } from '#kernel/software';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import type { FoundServer } from '../discovery/discover-server.js';
import { Discovery } from '../discovery/discovery.js';
import { BackOff } from './back-off.js';
import { FederatedServers } from './federated-servers.js';
import { inTime } from './in-time.js';
import { signRequest } from '#protocol/signing/sign-request';

/** What is asked of another server. */
export interface PeerRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** From `/_matrix/` on, escaped and with its query: `pathOf` makes it. */
  readonly path: string;
  /** Numbers keep their spelling. */
  readonly content?: JsonObject;
  /** The content as canonical JSON instead. PERF: where the same is sent to many, it is written once. */
  readonly contentText?: string;
  /** For the whole of it, from finding the server to the last byte; half a minute unless told. */
  readonly timeoutMs?: number;
  /** What its head may take, and each piece of it after another, where that is less. */
  readonly pauseMs?: number;
  /** The most bytes of the answer; 1 MB unless told. */
  readonly maxBytes?: number;
  /** Awaited before more of the answer is read, with the bytes that were: for large ones, of which there must not be too many at once. */
  readonly beforeMore?: (bytes: number) => Promise<void>;
  /** How deep an answer that `ask` reads may nest; 110 levels unless told. */
  readonly maxDepth?: number;
  readonly signal?: AbortSignal;
  /** Whether the server is asked also where it is left alone for now: because a person waits for it. */
  readonly insists?: boolean;
  /** Whether the answer is to come as it is, for it is large and not worth packing. */
  readonly isLarge?: boolean;
  /** Whether the other server is not told who asks: for paths that know nothing of it. */
  readonly isUnsigned?: boolean;
  /** Whether it may go to this server's own name: at such paths something else may answer there. */
  readonly mayBeOurs?: boolean;
}

/** That a server did not answer, so many times in a row, and for how long it is left alone. */
export interface PeerSilence {
  readonly failures: number;
  readonly reason: string;
  readonly remainingMs: number;
}

type Send<T> = (place: ServerPlace, sent: OutgoingRequest, askedAt: number) => Promise<T>;

/** Told of each server that answered, or that we heard from. */
export type AwakeListener = (server: ServerName) => void;

const TIMEOUT_MS = 30_000;
/** Events may nest as deep as everywhere; in an answer they lie a few levels deep. */
const MAX_DEPTH = 110;
/** How long a server may take to begin its answer before it counts as one that does not answer. */
const PATIENCE_MS = 10_000;
const MAX_BYTES = 1024 * 1024;
/** Of an answer that `ask` reads: more than 1 MB can hold. */
const MAX_VALUES = 600_000;
const MOST_OF_REFUSAL = 64 * 1024;
const USER_AGENT = `${SOFTWARE.name}/${SOFTWARE.version}`;
/** For how long a server is left alone that asks for it and does not say how long. */
const BUSY_MS = 5000;
/** What a proxy answers where the server behind it is gone. */
const IS_GONE = 501;

/**
 * The other servers, as they are asked: each is found, connected to with TLS, and gets requests signed by this server. Who does not
 * answer is left alone for a while.
 */
@Injectable()
export class Peers {
  readonly #backOff: BackOff;
  readonly #listeners = new Set<AwakeListener>();
  readonly #outcomes = { answered: 0, refused: 0, unavailable: 0 };

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Inject(SIGNING_KEY) private readonly key: SigningKey,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
    private readonly servers: FederatedServers,
    private readonly discovery: Discovery,
    private readonly outgoing: Outgoing,
  ) {
    this.#backOff = new BackOff(stopwatch);
  }

  /** What became of the requests that were made so far, for metrics. */
  get outcomes(): Readonly<Record<string, number>> {
    return this.#outcomes;
  }

  /** Which servers do not answer, for metrics. */
  get numbers(): CacheNumbers {
    return this.#backOff.numbers;
  }

  /**
   * The answer of another server, with numbers in their own spelling. Throws PeerUnavailable where there is none that can be read, or
   * where the server is left alone (for now, or by the operator's will); PeerRefused where it refuses; the reason of `signal`.
   */
  async ask(destination: ServerName, request: PeerRequest): Promise<JsonObject> {
    const answer = readObject(await this.askBytes(destination, request), request);
    if (answer === undefined)
      throw new PeerUnavailable(`${destination}: ${request.path} is no JSON object that can be read`);
    return answer;
  }

  /** As `ask`, and the answer as it came. */
  askBytes(destination: ServerName, request: PeerRequest): Promise<Uint8Array> {
    return this.#exchange(destination, request, async (place, sent, askedAt) =>
      this.#settle(destination, await this.outgoing.send(place, sent), askedAt),
    );
  }

  /**
   * Asks for what is large: gives an answer that says yes to `take`, as it comes, and answers what that answers. Throws as `ask` does,
   * PeerUnavailable also where the body ends too early; and what `take` throws.
   */
  download<T>(destination: ServerName, request: PeerRequest, take: (answer: StreamedAnswer) => Promise<T>): Promise<T> {
    return this.#exchange(destination, request, (place, sent, askedAt) =>
      this.outgoing.stream(place, sent, async (answer) => {
        if (answer.status >= 300) {
          const body = await readRefusal(answer.body);
          this.#settle(destination, { ...answer, body }, askedAt);
        }
        this.heardFrom(destination);
        return take(answer);
      }),
    );
  }

  /** Finds a server where it may be asked, has it sent a signed request, and counts what came of it. */
  async #exchange<T>(destination: ServerName, request: PeerRequest, send: Send<T>): Promise<T> {
    this.#checkMayAsk(destination, request);
    request.signal?.throwIfAborted();
    const askedAt = this.stopwatch.elapsed();
    const { timeoutMs = TIMEOUT_MS, signal } = request;
    try {
      const found = await inTime(this.#find(destination, askedAt), timeoutMs, signal);
      if (found === undefined) throw new PeerUnavailable(`${destination}: not found within ${timeoutMs} ms`);
      const leftMs = Math.max(1, Math.ceil(timeoutMs - (this.stopwatch.elapsed() - askedAt)));
      const sent = this.#write(destination, found.host, request, leftMs);
      const answer = await send(found.place, sent, askedAt).catch((error: unknown) => {
        throw error instanceof OutgoingFailure ? this.#judge(destination, sent, error, askedAt) : error;
      });
      this.#outcomes.answered++;
      return answer;
    } catch (error) {
      if (error instanceof PeerRefused) this.#outcomes.refused++;
      if (error instanceof PeerUnavailable) this.#outcomes.unavailable++;
      throw error;
    }
  }

  /** Who began to answer is there: it is this answer that cannot be had. And whoever waits for less proves nothing. */
  #judge(server: ServerName, { path, withinMs }: OutgoingRequest, error: OutgoingFailure, at: number): PeerUnavailable {
    if (error.hasBegun || (error.isLate && withinMs < PATIENCE_MS)) {
      return new PeerUnavailable(`${server}: ${path}: ${error.message}`, { cause: error });
    }
    this.discovery.doubt(server);
    return this.#unavailable(server, at, error.message, error);
  }

  /** Whether a server is not asked anything for now, because it did not answer. */
  isLeftAlone(destination: ServerName): boolean {
    return this.#backOff.remaining(destination) > 0;
  }

  /** What is remembered of a server that did not answer since it was heard from last. */
  findLeftAlone(destination: ServerName): PeerSilence | undefined {
    const known = this.#backOff.find(destination);
    if (known === undefined) return undefined;
    const { failures, reason } = known;
    return { failures, reason, remainingMs: this.#backOff.remaining(destination) };
  }

  /** Notes that a server asked us something, and so is there. For whoever has verified that it was this server. */
  heardFrom(origin: ServerName): void {
    this.#backOff.forget(origin);
    for (const listener of this.#listeners) listener(origin);
  }

  /** Has a listener told, at once, of each server that answers or is heard from; answers what ends that. It must not throw. */
  onAwake(listener: AwakeListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #checkMayAsk(destination: ServerName, { insists = false, mayBeOurs = false }: PeerRequest): void {
    const isOurs = destination === this.config.serverName;
    if (isOurs && !mayBeOurs) throw new PeerUnavailable(`${destination} is this server`);
    if (!isOurs && !this.servers.allows(destination)) {
      throw new PeerUnavailable(`${destination}: this server does not speak to it, by its settings`);
    }
    const remaining = this.#backOff.remaining(destination);
    if (remaining === 0 || insists) return;
    const reason = this.#backOff.find(destination)?.reason;
    throw new PeerUnavailable(`${destination} is left alone for ${Math.ceil(remaining / 1000)} s: ${reason}`);
  }

  async #find(destination: ServerName, askedAt: number): Promise<FoundServer> {
    const { found, steps } = await this.discovery.discover(destination);
    if (found !== undefined) return found;
    throw this.#unavailable(destination, askedAt, steps.at(-1)?.outcome ?? 'cannot be found');
  }

  #write(destination: ServerName, host: string, request: PeerRequest, withinMs: number): OutgoingRequest {
    const { method, path, content, contentText, isLarge = false, isUnsigned = false } = request;
    const { maxBytes = MAX_BYTES, beforeMore, signal, pauseMs } = request;
    const origin = this.config.serverName;
    const asked = { method, uri: path, origin, destination, content };
    const { authorization, body } = signRequest(asked, this.key, contentText);
    const headers = {
      host,
      ...(isUnsigned ? {} : { authorization }),
      'user-agent': USER_AGENT,
      'accept-encoding': isLarge ? 'identity' : 'gzip',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    return { method, path, headers, body, withinMs, pauseMs, maxBytes, beforeMore, signal };
  }

  #unavailable(destination: ServerName, askedAt: number, reason: string, cause?: unknown): PeerUnavailable {
    this.#backOff.noteFailure(destination, askedAt, reason);
    return new PeerUnavailable(`${destination}: ${reason}`, { cause });
  }

  /** The body of an answer that says yes. Redirects are not followed: what is signed is for the path that it was signed for. */
  #settle(destination: ServerName, { status, headers, body }: OutgoingAnswer, askedAt: number): Buffer {
    const refusal = status < 400 ? undefined : readObject(body);
    const isMatrix = typeof refusal?.['errcode'] === 'string';
    if (status >= 300 && status < 400) {
      throw this.#unavailable(destination, askedAt, `sends us elsewhere (${status})`);
    }
    if (status >= IS_GONE && !isMatrix) throw this.#unavailable(destination, askedAt, `answers ${status}`);
    const isBusy = status === 429;
    const retryAfterMs =
      isBusy || status === 503 ? (pauseOf(headers, refusal) ?? (isBusy ? BUSY_MS : undefined)) : undefined;
    if (isBusy) this.#backOff.noteBusy(destination, retryAfterMs ?? BUSY_MS);
    else this.heardFrom(destination);
    if (status < 300) return body;
    throw new PeerRefused(status, refusal ?? {}, retryAfterMs);
  }
}

function readObject(
  bytes: Uint8Array,
  { maxDepth = MAX_DEPTH }: Pick<PeerRequest, 'maxDepth'> = {},
): JsonObject | undefined {
  try {
    const value = parseJson(bytes, { lenient: true, maxDepth, maxValues: MAX_VALUES });
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** As much of a refusal as anybody reads. */
async function readRefusal(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    pieces.push(piece);
    if ((bytes += piece.length) > MOST_OF_REFUSAL) break;
  }
  return Buffer.concat(pieces);
}

/** How long a server wants to be left alone, in milliseconds: by its header, or by what it was before there was that; undefined where it does not say. */
function pauseOf(headers: OutgoingAnswer['headers'], refusal: JsonObject | undefined): number | undefined {
  const header = headers['retry-after'];
  if (typeof header === 'string' && /^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const { retry_after_ms: pause } = refusal ?? {};
  return typeof pause === 'number' && pause >= 0 ? pause : undefined;
}
