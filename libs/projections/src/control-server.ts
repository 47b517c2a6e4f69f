import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { MatrixError } from '#kernel/matrix-error';
import { messageOf } from '#kernel/message-of';
import { type ControlRequest, type ControlResponse, linesOf, reachableSocketPath } from './control-socket.js';

/** One thing that can be asked for; what it answers is sent as JSON, what it throws as text. Each part of a ControlStream is sent as it comes. */
export type ControlMethod = (request: ControlRequest) => unknown;

/** What comes bit by bit: no faster than who asked takes it, and ended where they go away. */
export class ControlStream {
  constructor(readonly parts: AsyncIterable<unknown>) {}
}

export interface ControlServer {
  /** Stops listening, ends the connections and removes the socket. */
  close(): Promise<void>;
}

/**
 * Listens on a Unix socket that only the owner of the process can open, for lines of JSON: `{"method": …, "name": …}`, each
 * answered by `{"ok": true, "result": …}` or `{"ok": false, "error": …}` (with `errcode` for a MatrixError) in order; a ControlStream by as many of
 * the first as it has parts, with `"more": true`, and one without. Throws where another process listens there.
 */
export async function startControlServer(
  path: string,
  methods: Readonly<Record<string, ControlMethod>>,
): Promise<ControlServer> {
  const reachable = reachableSocketPath(path);
  try {
    if (await answers(reachable.path)) throw new Error(`${path}: another server runs in this data directory`);
    rmSync(path, { force: true });
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      // A connection that breaks is the other side's business.
      socket.on('error', () => socket.destroy());
      serve(socket, new Map(Object.entries(methods))).catch(() => socket.destroy());
    });
    await listen(server, reachable.path);
    chmodSync(path, 0o600);
    return { close: () => close(server, sockets) };
  } finally {
    reachable.close();
  }
}

async function serve(socket: Socket, methods: ReadonlyMap<string, ControlMethod>): Promise<void> {
  for await (const line of linesOf(socket)) {
    if (line.trim() === '') continue;
    for await (const response of respond(line, methods)) await send(socket, response);
  }
  socket.end();
}

/** Settles once there is room for more. Throws where nobody is there any more to take it. */
async function send(socket: Socket, response: ControlResponse): Promise<void> {
  if (socket.destroyed) throw new Error('The connection is closed');
  if (socket.write(`${JSON.stringify(response)}\n`)) return;
  const over = new AbortController();
  const events = ['drain', 'close'].map((event) => once(socket, event, { signal: over.signal }));
  await Promise.race(events).finally(() => over.abort());
}

async function* respond(
  line: string,
  methods: ReadonlyMap<string, ControlMethod>,
): AsyncGenerator<ControlResponse, void> {
  try {
    const request = JSON.parse(line) as ControlRequest | null; // Whoever may write here owns the process.
    const method = typeof request?.method === 'string' ? methods.get(request.method) : undefined;
    if (method === undefined || request === null) throw new Error(`No such method: ${String(request?.method)}`);
    const result = (await method(request)) ?? null;
    if (result instanceof ControlStream) {
      for await (const part of result.parts) yield { ok: true, result: part, more: true };
      yield { ok: true, result: null };
    } else yield { ok: true, result };
  } catch (error) {
    const errcode = error instanceof MatrixError ? error.errcode : undefined;
    yield { ok: false, error: messageOf(error), errcode };
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // The socket is bound within this call: nobody else can open it between here and the chmod.
    const umask = process.umask(0o177);
    server.listen({ path }, resolve);
    process.umask(umask);
  });
}

function close(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of sockets) socket.destroy();
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
