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
  close(): void;
}

/** Connects to a running server by the path of its control socket; undefined where no server listens there. */
export async function connectControl(path: string): Promise<ControlClient | undefined> {
  const socket = await open(path);
  if (socket === undefined) return undefined;
  const lines = linesOf(socket)[Symbol.asyncIterator]();
  return {
    async call(request: ControlRequest): Promise<unknown> {
      socket.write(`${JSON.stringify(request)}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Error('The server has ended');
      const response = JSON.parse(value) as ControlResponse; // The server's own words.
      if (!response.ok) throw new ControlRefusal(response.error, response.errcode);
      return response.result;
    },
    close: () => socket.destroy(),
  };
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
