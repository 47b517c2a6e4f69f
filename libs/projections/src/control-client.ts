import { connect, type Socket } from 'node:net';
import { type ControlRequest, type ControlResponse, linesOf, reachableSocketPath } from './control-socket.js';

/** The server was reached and says no, in its own words. */
export class ControlRefusal extends Error {
  constructor(
    message: string,
    readonly errcode?: string,
  ) {
    super(message);
    this.name = 'ControlRefusal';
  }
}

/** A connection to the control socket of a running server. */
export interface ControlClient {
  /** Answers the result of a method. Throws ControlRefusal, or another Error where the server goes away. One call at a time. */
  call(request: ControlRequest): Promise<unknown>;
  /** The parts of what a method answers bit by bit. Throws as `call`. To be read to its end, or the connection closed. */
  stream(request: ControlRequest): AsyncGenerator<unknown, void>;
  close(): void;
}

/** How long a server may be busy with something else. */
const SILENCE_MS = 15_000;

/**
 * Connects to a running server by the path of its control socket; undefined where no server listens there. Throws where one
 * does but says nothing within `silenceMs`: the kernel takes connections for a process that is stopped, too.
 */
export async function connectControl(path: string, silenceMs = SILENCE_MS): Promise<ControlClient | undefined> {
  const socket = await open(path);
  if (socket === undefined) return undefined;
  const lines = linesOf(socket)[Symbol.asyncIterator]();
  const next = async (): Promise<ControlResponse> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('The server has ended');
    return JSON.parse(value) as ControlResponse; // The server's own words.
  };
  const ask = (request: object): Promise<ControlResponse> => {
    socket.write(`${JSON.stringify(request)}\n`);
    return next();
  };
  // Nothing is asked for: any answer shows that somebody is there.
  if (!(await settlesWithin(ask({}), silenceMs))) {
    socket.destroy();
    throw new Error(`it says nothing for ${silenceMs / 1000} s`);
  }
  return {
    async call(request: ControlRequest): Promise<unknown> {
      return resultOf(await ask(request));
    },
    async *stream(request: ControlRequest): AsyncGenerator<unknown, void> {
      for (let response = await ask(request); ; response = await next()) {
        const result = resultOf(response);
        if (!response.ok || response.more !== true) return;
        yield result;
      }
    },
    close: () => socket.destroy(),
  };
}

/** Throws ControlRefusal. */
function resultOf(response: ControlResponse): unknown {
  if (!response.ok) throw new ControlRefusal(response.error, response.errcode);
  return response.result;
}

/** Whether a promise is fulfilled in time. Throws what it is rejected with in time. */
async function settlesWithin(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, milliseconds, false);
  });
  return Promise.race([promise.then(() => true), late]).finally(() => clearTimeout(timer));
}

function open(path: string): Promise<Socket | undefined> {
  const reachable = reachableSocketPath(path);
  return new Promise<Socket | undefined>((resolve, reject) => {
    const socket = connect({ path: reachable.path });
    socket.once('connect', () => resolve(socket));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
      else reject(error);
    });
  }).finally(() => reachable.close());
}
