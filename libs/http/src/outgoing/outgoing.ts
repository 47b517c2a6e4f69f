import type { Readable } from 'node:stream';
import type { Agent, Dispatcher } from 'undici';
import { messageOf } from '#kernel/message-of';
import { type ConnectorOptions, guardedConnector, type ServerPlace } from './guarded-connector.js';
import { loadUndici, type Undici } from './load-undici.js';
import { readBounded, UnreadableAnswer } from './read-bounded.js';

export interface OutgoingRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** As it is sent: escaped, with its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** From the first look-up of a name to the last byte of the answer. */
  readonly withinMs: number;
  /** What the head of the answer may take, and each piece after another, where that is less: for answers that may take long as they go on. */
  readonly pauseMs?: number;
  /** The most bytes of an answer, unpacked. */
  readonly maxBytes: number;
  /** Awaited before more of an answer is read, with the bytes that were. */
  readonly beforeMore?: (bytes: number) => Promise<void>;
  readonly signal?: AbortSignal;
}

export interface OutgoingAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** An answer whose body is read as it comes. */
export interface StreamedAnswer extends Omit<OutgoingAnswer, 'body'> {
  readonly body: AsyncIterable<Uint8Array>;
}

interface ReadableAnswer extends Omit<OutgoingAnswer, 'body'> {
  readonly stream: Readable;
}

/** No answer, or none that can be read. The message is one line, and holds no secret. */
export class OutgoingFailure extends Error {
  /** Whether the head of an answer had come: then somebody is there. */
  readonly hasBegun: boolean;
  /** Whether it is only that the time was up. */
  readonly isLate: boolean;

  constructor(cause: unknown, hasBegun: boolean) {
    super(reasonOf(cause), { cause });
    this.name = 'OutgoingFailure';
    this.hasBegun = hasBegun;
    this.isLate = cause instanceof TimeIsUp;
  }
}

class TimeIsUp extends Error {}

interface Client {
  readonly agent: Agent;
  readonly request: Undici['request'];
}

/** Of one place: more requests wait for their turn. */
const CONNECTIONS = 8;
/** Longer than the pause between two messages of a lively room, shorter than other servers keep idle connections. */
const IDLE_MS = 20_000;
const MOST_REASON = 300;

/** The requests that this server makes of others, over connections that are made as `guardedConnector` says and used again. */
export class Outgoing {
  #client: Promise<Client> | undefined;

  constructor(private readonly options: ConnectorOptions) {}

  /**
   * The answer, whatever its status: redirects are followed by nobody. Throws OutgoingFailure; and where the caller's signal says so,
   * its reason.
   */
  async send(place: ServerPlace, request: OutgoingRequest): Promise<OutgoingAnswer> {
    return this.#exchange(place, request, async ({ status, headers, stream }) => {
      const body = await readBounded(stream, textOf(headers['content-encoding']), request.maxBytes, request.beforeMore);
      return { status, headers, body };
    });
  }

  /**
   * As `send`, for what is large: gives the answer to `take` as it comes, and answers what that answers. What ends the body before its end,
   * or is more than may come, is thrown from it as OutgoingFailure; what `take` throws besides is thrown as it is.
   */
  async stream<T>(
    place: ServerPlace,
    request: OutgoingRequest,
    take: (answer: StreamedAnswer) => Promise<T>,
  ): Promise<T> {
    let thrown: { readonly error: unknown } | undefined;
    const taken = this.#exchange(place, request, async ({ status, headers, stream }) => {
      const body = piecesOf(stream, textOf(headers['content-encoding']), request.maxBytes);
      try {
        return await take({ status, headers, body });
      } catch (error) {
        if (!(error instanceof OutgoingFailure)) thrown = { error };
        throw error;
      } finally {
        stream.on('error', () => {}).destroy();
      }
    });
    return taken.catch((error: unknown) => {
      throw thrown === undefined ? error : thrown.error;
    });
  }

  /** Has an answer read within its time. Throws OutgoingFailure; and where the caller's signal says so, its reason. */
  async #exchange<T>(
    place: ServerPlace,
    request: OutgoingRequest,
    read: (answer: ReadableAnswer) => Promise<T>,
  ): Promise<T> {
    const { signal, withinMs } = request;
    signal?.throwIfAborted();
    const ending = new AbortController();
    const end = (): void => ending.abort(signal?.reason);
    const timer = setTimeout(() => ending.abort(new TimeIsUp(`no whole answer within ${withinMs} ms`)), withinMs);
    signal?.addEventListener('abort', end, { once: true });
    let hasBegun = false;
    try {
      checkSendable(request);
      const answer = await unlessEnded(this.#dispatch(place, request, ending.signal), ending.signal);
      hasBegun = true;
      return await read({ status: answer.statusCode, headers: answer.headers, stream: answer.body });
    } catch (error) {
      signal?.throwIfAborted();
      const cause: unknown = ending.signal.aborted ? ending.signal.reason : error;
      throw new OutgoingFailure(cause, hasBegun);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    }
  }

  /** Ends all connections, and with them what is under way. */
  async onModuleDestroy(): Promise<void> {
    await (await this.#client)?.agent.destroy();
  }

  async #dispatch(place: ServerPlace, request: OutgoingRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    this.#client ??= this.#open();
    const client = await this.#client;
    const { method, path, headers, body, withinMs, pauseMs = withinMs } = request;
    const limits = { headersTimeout: pauseMs, bodyTimeout: pauseMs };
    const send = (): Promise<Dispatcher.ResponseData> =>
      client.request.call(client.agent, {
        ...limits,
        origin: JSON.stringify(place),
        method,
        path,
        headers,
        body,
        signal,
      });
    try {
      return await send();
    } catch (error) {
      // An idle connection may be closed by the other side in the moment in which it is used again.
      if (method === 'POST' || signal.aborted || !isClosedBefore(error)) throw error;
      return send();
    }
  }

  async #open(): Promise<Client> {
    const { Agent, buildConnector, Pool, request } = await loadUndici();
    const connectorOf = guardedConnector(buildConnector, this.options);
    const agent = new Agent({
      // Connections are of one place each: what is at the same address by another name has its own.
      factory: (key) => {
        const place = JSON.parse(String(key)) as ServerPlace; // as #dispatch wrote it
        return new Pool(place.isPlain === true ? 'http://a.place' : 'https://a.place', {
          connect: connectorOf(place),
          connections: place.connections ?? CONNECTIONS,
          keepAliveTimeout: IDLE_MS,
          keepAliveMaxTimeout: IDLE_MS,
        });
      },
    });
    return { agent, request };
  }
}

/**
 * What undici would refuse in a path or a header. It has to be refused before: of its pool a connection is used no more that was to send such a request, and with
 * the last one all requests to that place wait for ever.
 */
const UNSENDABLE_PATH = /[^\u0021-\u00ff]/;
const UNSENDABLE_HEADER = /[^\t\u0020-\u007e\u0080-\u00ff]/;

function checkSendable({ path, headers }: OutgoingRequest): void {
  if (UNSENDABLE_PATH.test(path)) throw new Error('the path has letters that no path has');
  if (Object.values(headers).some((value) => UNSENDABLE_HEADER.test(value)))
    throw new Error('a header has letters that no header has');
}

/** What is sent, unless it ends before: undici lets those wait on whose turn it is not yet. */
function unlessEnded<T>(sent: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (): void => reject(signal.reason as Error);
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    sent.then(resolve, reject);
  });
}

function isClosedBefore(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}

/** What went wrong, in one line: of several tries (one for each address) the first. */
function reasonOf(error: unknown): string {
  const inner: unknown = error instanceof AggregateError ? (error.errors[0] ?? error) : error;
  const code = (inner as { code?: unknown } | undefined)?.code;
  const text = messageOf(inner);
  const line = typeof code === 'string' && text === '' ? code : text;
  return line.replaceAll(/\s+/g, ' ').slice(0, MOST_REASON);
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(', ') : header;
}

/** The pieces of a body that comes as it is. Throws OutgoingFailure where it ends too early, is packed, or has more bytes than may come. */
async function* piecesOf(
  stream: Readable,
  encoding: string | undefined,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void> {
  try {
    if (encoding !== undefined && encoding !== 'identity')
      throw new UnreadableAnswer(`packed as ${encoding.slice(0, 40)}`);
    let bytes = 0;
    for await (const piece of stream as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes > maxBytes) throw new UnreadableAnswer(`more than ${maxBytes} bytes`);
      yield piece;
    }
  } catch (error) {
    throw new OutgoingFailure(error, true);
  }
}
