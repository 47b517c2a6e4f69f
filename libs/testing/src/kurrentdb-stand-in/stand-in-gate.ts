import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * The way to a node: what a machine does to the connections of a process that is stopped or killed, which the process itself
 * could not act. Frozen, it accepts and takes what the buffers hold, and nothing is answered, not even a handshake.
 */
export class StandInGate {
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #isFrozen = false;
  #port = 0;

  /** `target`: the port of the node behind it, asked at each connection. */
  constructor(private readonly target: () => number) {}

  get port(): number {
    return this.#port;
  }

  /** Opens it on a free port, or again on the one it had. */
  async open(): Promise<void> {
    const server = createServer({ pauseOnConnect: true }, (near) => this.#pass(near));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(this.#port, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
    this.#server = server;
  }

  freeze(): void {
    this.#isFrozen = true;
    for (const socket of this.#sockets) socket.pause();
  }

  thaw(): void {
    this.#isFrozen = false;
    for (const socket of this.#sockets) socket.resume();
  }

  /** Breaks all connections off, and refuses new ones until it is opened again. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server?.close(() => resolve()) ?? resolve());
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
    this.#isFrozen = false;
  }

  #pass(near: Socket): void {
    const far = connect(this.target(), '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      // By hand rather than by `pipe`, which would resume what is frozen.
      from.on('data', (bytes: Buffer) => {
        if (to.write(bytes)) return;
        from.pause();
        to.once('drain', () => this.#isFrozen || from.resume());
      });
      from.on('end', () => to.end());
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      if (this.#isFrozen) from.pause();
      else from.resume();
    }
  }
}
