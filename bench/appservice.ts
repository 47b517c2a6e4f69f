import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { above, type Figure, under } from './figures.js';
import { type BenchUser, RunningServer } from './running-server.js';

const EVENTS = Number(process.env['BENCH_EVENTS'] ?? 30_000);
const ROOMS = 10;
const CLIENTS = 64;
const TOKEN = 'token-of-the-bridge';

/** A service that takes nothing until it is told to, and counts the events that it takes. */
class Sink {
  takes = false;
  events = 0;
  began = 0;
  ended = 0;
  #done: () => void = () => {};

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Sink> {
    const server = createServer();
    const sink = new Sink(server);
    server.on('request', (request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        if (sink.takes) sink.#take(Buffer.concat(pieces));
        response.writeHead(sink.takes ? 200 : 503).end('{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return sink;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Settles once it has taken so many. */
  async until(events: number): Promise<void> {
    while (this.events < events) await new Promise<void>((resolve) => (this.#done = resolve));
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  #take(body: Buffer): void {
    this.began ||= performance.now();
    for (let at = body.indexOf(EVENT); at >= 0; at = body.indexOf(EVENT, at + EVENT.length)) this.events++;
    this.ended = performance.now();
    this.#done();
  }
}

const EVENT = Buffer.from('"event_id":"');

/** A bridge that was away comes back: how fast it is sent what it has missed, each transaction settled in the log before it is sent. */
export async function benchAppservice(): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), 'annals-bench-service-'));
  const sink = await Sink.start();
  const registration = join(directory, 'registration.yaml');
  writeFileSync(
    registration,
    JSON.stringify({
      id: 'bridge',
      url: sink.url,
      as_token: TOKEN,
      hs_token: 'token-of-the-server',
      sender_localpart: 'bridge',
      rate_limited: false,
      namespaces: { users: [{ exclusive: true, regex: '@bridge_.*' }] },
    }),
  );
  const server = await RunningServer.start({ env: { ANNALS_APPSERVICES: registration } });
  try {
    const rooms = await makeRooms(server);
    const alice = await server.register('alice2');
    for (const room of rooms) await server.call('POST', `/_matrix/client/v3/join/${room}`, alice.token, {});
    await Promise.all(Array.from({ length: CLIENTS }, (_, i) => talk(server, alice, rooms, i)));
    sink.takes = true;
    const before = server.processorMs();
    // It is heard from, and so is sent to at once.
    await server.call('GET', '/_matrix/client/v3/account/whoami', TOKEN);
    // What came before the first that it did not take counts too: those that made the rooms.
    await sink.until(EVENTS);
    const seconds = (sink.ended - sink.began) / 1_000;
    const micros = ((server.processorMs() - before) * 1_000) / sink.events;
    return [
      above(`a bridge that was away catches up with ${sink.events} events`, 'events/s', sink.events / seconds, 10_000),
      under('one of them, all threads', 'us of processor', micros, 200),
    ];
  } finally {
    await server.stop();
    sink.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What one of many clients says, of all that is said. */
async function talk(
  server: RunningServer,
  { token }: BenchUser,
  rooms: readonly string[],
  client: number,
): Promise<void> {
  for (let i = client; i < EVENTS; i += CLIENTS) {
    const content = { msgtype: 'm.text', body: `What is said while the bridge is away, number ${i}` };
    const path = `/_matrix/client/v3/rooms/${rooms[i % ROOMS]}/send/m.room.message/t${i}`;
    await server.call('PUT', path, token, content);
  }
}

/** Rooms in which the bridge has a user. */
async function makeRooms(server: RunningServer): Promise<string[]> {
  const alice = await server.register('alice');
  const ghost = '@bridge_ghost:bench.example';
  const body = { type: 'm.login.application_service', username: 'bridge_ghost' };
  await server.call('POST', '/_matrix/client/v3/register', TOKEN, body);
  const rooms: string[] = [];
  for (let i = 0; i < ROOMS; i++) {
    const room = await server.createRoom(alice);
    await server.call('POST', `/_matrix/client/v3/join/${room}?user_id=${ghost}`, TOKEN, {});
    rooms.push(room);
  }
  return rooms;
}
