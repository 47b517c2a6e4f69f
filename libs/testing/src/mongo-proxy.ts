import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** The commands that change something, as they begin in a message of the protocol. */
const WRITES = ['insert\0', 'update\0', 'delete\0', 'drop\0'];
const LENGTH_BYTES = 4;

/** Stands between the views and their MongoDB, and can fail as a network or a server does. */
export class MongoProxy {
  /** How many more commands that write are let through; the next one ends all connections, and none is taken any more. */
  writesLeft = Infinity;
  /** How many more of them are let through before the rest is kept back, while what reads goes on. */
  #heldAfter = Infinity;
  #held: (() => void)[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isSilent = false;
  #isAway = false;

  private constructor(private readonly target: URL) {
    this.#server = createServer((client) => this.#forward(client));
  }

  /** Listens in front of the MongoDB that a URL names. */
  static async begin(url: string): Promise<MongoProxy> {
    const proxy = new MongoProxy(new URL(url));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** The URL of the target, by way of the proxy. */
  get url(): string {
    const url = new URL(this.target);
    url.host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return url.href;
  }

  /** Takes connections and passes nothing on, as a server whose process stands still. */
  fallSilent(): void {
    this.#isSilent = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Ends all connections and takes no more, as a server that is down. */
  goAway(): void {
    this.#isAway = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Keeps back what writes, after so many commands, until it comes back: as what is under way from a process that stands still. */
  holdAfter(writes: number): void {
    this.#heldAfter = writes;
  }

  /** Whether something is kept back. */
  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  comeBack(): void {
    this.#heldAfter = Infinity;
    for (const send of this.#held.splice(0)) send();
    this.writesLeft = Infinity;
    this.#isAway = false;
    this.#isSilent = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async end(): Promise<void> {
    this.goAway();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #forward(client: Socket): void {
    if (this.#isAway) return void client.destroy();
    const server = connect(Number(this.target.port || 27017), this.target.hostname);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      if (this.#isSilent) socket.pause();
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    server.on('data', (bytes) => client.write(bytes));
    let received = Buffer.alloc(0);
    client.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
      while (received.length >= LENGTH_BYTES && received.length >= received.readUInt32LE(0)) {
        const length = received.readUInt32LE(0);
        const message = received.subarray(0, length);
        received = received.subarray(length);
        const isWrite = WRITES.some((command) => message.includes(command));
        if (isWrite && this.writesLeft-- <= 0) return this.goAway();
        if (isWrite && this.#heldAfter-- <= 0) this.#held.push(() => server.write(message));
        else server.write(message);
      }
    });
  }
}
