import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from '#testing/free-port';

/** The one way by which other servers reach a server, on loopback: it can be cut, as by a network that fails. */
export class Line {
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(
    private readonly server: Server,
    /** Where others connect to. */
    readonly port: number,
    /** Where the server behind it has to listen. */
    readonly behind: number,
  ) {
    this.server.on('connection', (socket) => this.#forward(socket));
  }

  static async open(): Promise<Line> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Line(server, portOf(server), await freePort());
  }

  /** Ends all connections and takes no more. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  async end(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  #forward(client: Socket): void {
    if (this.#isCut) return void client.destroy();
    const server = connect(this.behind, '127.0.0.1');
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
