import { readFileSync } from 'node:fs';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { Agent } from 'undici';
import type { AppService } from '#config/appservices/app-service';
import { CONFIG, type Config } from '#config/config';
import { loadUndici, type Undici } from '#http/outgoing/load-undici';
import { publicAuthorities } from '#http/outgoing/public-authorities';
import { readBounded, UnreadableAnswer } from '#http/outgoing/read-bounded';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import { isJsonObject, type JsonValue } from '#kernel/json';
import { messageOf } from '#kernel/message-of';

/** What a service is asked. */
export interface ServiceRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** From `/_matrix/app/v1` on, escaped. */
  readonly path: string;
  /** The path that the same thing had in drafts of the specification, where it had one. */
  readonly legacyPath?: string;
  /** Escaped, without the question mark. */
  readonly query?: string;
  /** JSON text. */
  readonly body?: string;
  readonly withinMs: number;
  readonly signal?: AbortSignal;
}

export interface ServiceAnswer {
  readonly status: number;
  readonly text: string;
}

/** A service gave no whole answer. The message is one line, and holds no token. `isLate`: it is only that the time was up. */
export class ServiceUnreachable extends Error {
  constructor(
    { id }: AppService,
    cause: unknown,
    readonly isLate: boolean,
  ) {
    super(`the application service ${id}: ${messageOf(cause).replaceAll(/\s+/g, ' ').slice(0, MOST_REASON)}`, {
      cause,
    });
    this.name = 'ServiceUnreachable';
  }
}

const MOST_BYTES = 4 * 1024 * 1024;
const MOST_REASON = 300;
/** For how long a service that does not know a path is asked by the older one: "periodically try again for the newer endpoints". */
const LEGACY_MS = 3_600_000;
const UNKNOWN_PATH: ReadonlySet<number> = new Set([404, 405]);

/**
 * Asks application services, wherever the operator says that they are: also on this machine, so that none of what guards other requests is
 * in the way. The token goes in the header; to the paths of drafts also in the query, where services of that time look for it (application
 * service API, "Authorisation", "Legacy routes").
 */
@Injectable()
export class ServiceClient implements OnModuleDestroy {
  #agent: Promise<Agent> | undefined;
  /** Until when a service is asked by the older of two paths, by its id and the kind of request. */
  readonly #legacyUntil = new Map<string, number>();

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'tlsCa'>,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
  ) {}

  /**
   * The answer, whatever its status. Where the service does not know the path, which its JSON then says by no other code than
   * M_UNRECOGNIZED, it is asked by the older one. Throws ServiceUnreachable, the reason of the signal, and an Error for a service that
   * has no URL.
   */
  async ask(service: AppService, request: ServiceRequest): Promise<ServiceAnswer> {
    const { legacyPath, path } = request;
    if (legacyPath === undefined) return this.#send(service, request, path, false);
    const key = `${service.id} ${request.method} ${legacyPath.split('/', 5).slice(0, -1).join('/')}`;
    const now = this.stopwatch.elapsed();
    if ((this.#legacyUntil.get(key) ?? 0) > now) return this.#send(service, request, legacyPath, true);
    const answer = await this.#send(service, request, path, false);
    if (!isUnknownPath(answer)) return answer;
    const older = await this.#send(service, request, legacyPath, true);
    if (isUnknownPath(older)) return answer;
    this.#legacyUntil.set(key, now + LEGACY_MS);
    return older;
  }

  async onModuleDestroy(): Promise<void> {
    await (await this.#agent)?.destroy();
  }

  async #send(service: AppService, request: ServiceRequest, path: string, isLegacy: boolean): Promise<ServiceAnswer> {
    const { method, body, query, withinMs, signal } = request;
    if (service.url === undefined) throw new Error(`the application service ${service.id} has no URL`);
    const token = isLegacy ? `access_token=${encodeURIComponent(service.hsToken)}` : undefined;
    const search = [query, token].filter((part) => part !== undefined && part !== '').join('&');
    const { origin, pathname, search: asked } = new URL(`${service.url}${path}${search === '' ? '' : `?${search}`}`);
    const late = AbortSignal.timeout(withinMs);
    try {
      const { agent, ask } = await this.#open();
      const answer = await ask.call(agent, {
        origin,
        path: `${pathname}${asked}`,
        method,
        body,
        headers: {
          authorization: `Bearer ${service.hsToken}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        signal: signal === undefined ? late : AbortSignal.any([late, signal]),
        headersTimeout: withinMs,
        bodyTimeout: withinMs,
      });
      const encoding = [answer.headers['content-encoding'] ?? []].flat().join();
      return { status: answer.statusCode, text: (await readBounded(answer.body, encoding, MOST_BYTES)).toString() };
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof UnreadableAnswer) throw new ServiceUnreachable(service, error, false);
      throw new ServiceUnreachable(
        service,
        late.aborted ? `no answer within ${withinMs} ms` : reasonOf(error),
        late.aborted,
      );
    }
  }

  async #open(): Promise<{ agent: Agent; ask: Undici['request'] }> {
    const { Agent, request } = await loadUndici();
    const { tlsCa } = this.config;
    this.#agent ??= Promise.resolve().then(
      // They may be anywhere: whom public authorities vouch for is believed too.
      () =>
        new Agent({
          connect: tlsCa === undefined ? {} : { ca: [...publicAuthorities(), readFileSync(tlsCa, 'utf8')] },
        }),
    );
    return { agent: await this.#agent, ask: request };
  }
}

/** What an answer says as JSON; undefined where that is none. */
export function jsonOf({ text }: ServiceAnswer): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

/** Of what is asked for and is not there a service says so by another code, or by the status alone of a path that it knows. */
function isUnknownPath(answer: ServiceAnswer): boolean {
  if (!UNKNOWN_PATH.has(answer.status)) return false;
  const body = jsonOf(answer);
  const errcode = isJsonObject(body) ? body['errcode'] : undefined;
  return errcode === undefined || errcode === 'M_UNRECOGNIZED';
}

/** Of several tries (one for each address) the first; errors of undici may have no text but a code. */
function reasonOf(error: unknown): string {
  const inner: unknown = error instanceof AggregateError ? (error.errors[0] ?? error) : error;
  const { code } = (inner ?? {}) as { code?: unknown };
  return messageOf(inner) || (typeof code === 'string' ? code : 'no connection');
}
