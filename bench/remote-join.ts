import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Figure, under } from './figures.js';
import { type BenchUser, RunningServer } from './running-server.js';
import { PEER, type ToldPeer } from './told-peer.js';
import { watchMemory } from './watch-memory.js';

const MEMBERS = Number(process.env['BENCH_MEMBERS'] ?? 80_000);
const OLDER = Math.round(MEMBERS * 1.575);
const MAX_TURN_MS = 50;
const WATCH = fileURLToPath(new URL('watch-process.js', import.meta.url));

/** A user joins a large room of other servers, which answer over HTTP from a process of their own. */
export async function benchRemoteJoin(): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), 'annals-bench-remote-join-'));
  const args = [PEER, directory, String(MEMBERS), String(OLDER)];
  const peer = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    return await joinThrough(await readLine(peer), directory);
  } finally {
    peer.stdin.end();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function joinThrough(peer: ToldPeer, directory: string): Promise<Figure[]> {
  const authority = join(directory, 'authority.crt');
  const turns = join(directory, 'turns.json');
  writeFileSync(authority, peer.authority);
  const server = await RunningServer.start({
    env: {
      ANNALS_FEDERATION_ALLOW_PRIVATE: 'true',
      ANNALS_TLS_CA: authority,
      NODE_OPTIONS: `--import=${WATCH}`,
      BENCH_TURNS: turns,
      BENCH_MAX_TURN_MS: String(MAX_TURN_MS),
    },
  });
  const memory = watchMemory(server.process.pid!);
  let times: Awaited<ReturnType<typeof joinAndWait>>;
  let taken: ReturnType<typeof memory.stop>;
  try {
    const alice = await server.register('alice');
    server.process.kill('SIGUSR2');
    times = await joinAndWait(server, alice, peer);
  } finally {
    taken = memory.stop();
    await server.stop();
  }
  const { anonymous, rss } = taken;
  const { longest = Number.NaN, beyond = Number.NaN } = JSON.parse(readFileSync(turns, 'utf8')) as {
    longest?: number;
    beyond?: number;
  };
  const named = `a room of ${peer.stateEvents} state events and ${peer.authEvents} auth events joined over HTTP`;
  return [
    under(`${named}: until a message is sent and /sync shows it`, 's', times.usable, 5),
    under('until all of its members are here', 's', times.whole, 60),
    under('time of the processors for it', 's', times.processor, 120),
    under('longest turn of the event loop, in time of the processor', 'ms', longest, MAX_TURN_MS),
    under('how many of those were longer than that', 'turns', beyond, 1),
    under('memory of our own at most', 'MB', anonymous, 1_000),
    under('memory with files that are mapped at most', 'MB', rss, 1_000),
  ];
}

async function joinAndWait(
  server: RunningServer,
  alice: BenchUser,
  { roomId, name, stateEvents }: ToldPeer,
): Promise<{ readonly usable: number; readonly whole: number; readonly processor: number }> {
  const room = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`;
  const before = server.processorMs();
  const started = performance.now();
  const since = (): number => (performance.now() - started) / 1_000;
  await server.call('POST', `/_matrix/client/v3/join/${encodeURIComponent(roomId)}?via=${name}`, alice.token, {});
  await server.call('PUT', `${room}/send/m.room.message/1`, alice.token, { msgtype: 'm.text', body: 'Here I am' });
  const filter = encodeURIComponent(JSON.stringify({ room: { state: { lazy_load_members: true } } }));
  const shown = await server.text('GET', `/_matrix/client/v3/sync?filter=${filter}`, alice.token);
  if (!shown.includes('Here I am')) throw new Error('/sync does not show the room');
  const usable = since();
  const members = await listMembers(server, alice, room);
  const whole = since();
  // The creator is a member beside those of the state that are none of its own; who joined too.
  if (members !== stateEvents - 4) throw new Error(`${members} members are here, of a state of ${stateEvents} events`);
  return { usable, whole, processor: (server.processorMs() - before) / 1_000 };
}

/** How many members there are, once that is known. */
async function listMembers(server: RunningServer, { token }: BenchUser, room: string): Promise<number> {
  for (;;) {
    const headers = { authorization: `Bearer ${token}` };
    const { statusCode, body } = await server.pool.request({ method: 'GET', path: `${room}/joined_members`, headers });
    const { joined } = (await body.json()) as { joined?: Record<string, unknown> };
    if (statusCode === 200 && joined !== undefined) return Object.keys(joined).length;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function readLine(peer: ChildProcess): Promise<ToldPeer> {
  const [line] = (await once(createInterface(peer.stdout!), 'line')) as [string];
  return JSON.parse(line) as ToldPeer;
}
