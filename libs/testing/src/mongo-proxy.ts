import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { BSON } from 'mongodb';

/** The commands that change something, as they begin in a message of the protocol. */
const WRITES = ['insert\0', 'update\0', 'delete\0', 'drop\0'];
/** Those that read, in the same way. */
const READS = ['find\0', 'listCollections\0'];
const LENGTH_BYTES = 4;
const HEADER_BYTES = 16;
const OP_MSG = 2013;

/** Stands between the views and their MongoDB, and can fail as a network or a server does. */
export class MongoProxy {
  /** How many more commands that write are let through; the next one ends all connections, and none is taken any more. */
  writesLeft = Infinity;
  /** How many more of them are let through before the rest is kept back, while what reads goes on. */
  #heldAfter = Infinity;
  #held: (() => void)[] = [];
  /** How many of the next commands that read are refused. */
  refusesReads = 0;
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
    this.refusesReads = 0;
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
        if (READS.some((command) => message.includes(command)) && this.refusesReads-- > 0) {
          client.write(refusalOf(message));
          continue;
        }
        const isWrite = WRITES.some((command) => message.includes(command));
        if (isWrite && this.writesLeft-- <= 0) return this.goAway();
        if (isWrite && this.#heldAfter-- <= 0) this.#held.push(() => server.write(message));
        else server.write(message);
      }
    });
  }
}

/** What a server answers that can do nothing for the moment. */
function refusalOf(message: Buffer): Buffer {
  const answer = BSON.serialize({ ok: 0, code: 1, codeName: 'InternalError', errmsg: 'database is locked' });
  const head = Buffer.alloc(HEADER_BYTES + 5); // no flags, and one document
  head.writeInt32LE(head.length + answer.length, 0);
  head.writeInt32LE(message.readInt32LE(4), 8);
  head.writeInt32LE(OP_MSG, 12);
  return Buffer.concat([head, answer]);
}
