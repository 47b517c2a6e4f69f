import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { RecordedFact } from '#event-store/event-store';
import type { LocalRoom } from '#testing/local-room';
import { type Figure, median, under } from './figures.js';
import { SendingServer } from './sending-server.js';
import { watchTurns } from './watch-turns.js';

/** Servers in a room, and servers that cannot be reached. */
const SERVERS = 500;
const DEAD = Number(process.env['BENCH_DEAD'] ?? 10_000);
const MESSAGES = 40;
const MAX_TURN_MS = 50;

/** Sends messages to many other servers, to many that are dead, and to none. */
export async function benchSending(): Promise<Figure[]> {
  const server = await SendingServer.start([
    { name: 'local', servers: 0 },
    { name: 'many', servers: SERVERS },
    { name: 'dead', servers: DEAD, isDead: true },
  ]);
  try {
    const [local, room, dead] = server.rooms as [LocalRoom, LocalRoom, LocalRoom];
    const alone = await timesOf(local, () => server.idle());
    const many = await sendToMany(server, room);
    const heap = heapMB();
    const toDead = await sendToDead(server, dead);
    const grown = heapMB() - heap;
    return [
      under(`a message in a room of ${SERVERS} servers: the sender's time, median`, 'ms', median(many.says), 20),
      under('what it took in a room of nobody else: median', 'ms', median(alone), 20),
      under(`until it is with all ${SERVERS}, which take 50 ms to answer: median`, 'ms', median(many.untilAll), 1_000),
      under(`time of the processor for each of the ${SERVERS}`, 'us', many.cpuUs / SERVERS, 500),
      under('longest turn of the event loop meanwhile, in time of the processor', 'ms', many.longestMs, MAX_TURN_MS),
      under(`a message in a room of ${DEAD} dead servers: requests`, 'requests', toDead.tries, 1),
      under('time of the processor for it, all told', 'ms', toDead.cpuUs / 1_000, 20),
      under(`memory for ${DEAD} dead servers`, 'MB', grown, 64),
      under('what a message of a room with nobody else costs to find out', 'us', costOfLocal(server, local), 2),
    ];
  } finally {
    await server.stop();
  }
}

/** How long each of some sends took whoever sent. */
async function timesOf(room: LocalRoom, between: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < MESSAGES; i++) {
    const started = performance.now();
    await room.say(`message ${i}`);
    times.push(performance.now() - started);
    await between();
  }
  return times;
}

async function sendToMany(
  server: SendingServer,
  room: LocalRoom,
): Promise<{ says: number[]; untilAll: number[]; cpuUs: number; longestMs: number }> {
  const untilAll: number[] = [];
  const { peers } = server;
  await room.say('warm');
  await peers.untilAccepted(SERVERS);
  const turns = watchTurns(MAX_TURN_MS);
  const cpu = process.cpuUsage();
  let accepted: Promise<void> = peers.untilAccepted(SERVERS);
  let started = performance.now();
  const says = await timesOf(room, async () => {
    await accepted;
    untilAll.push(performance.now() - started);
    accepted = peers.untilAccepted(SERVERS);
    started = performance.now();
  });
  const longestMs = turns.stop()?.longest ?? Number.NaN;
  const { user, system } = process.cpuUsage(cpu);
  return { says, untilAll, cpuUs: (user + system) / MESSAGES, longestMs };
}

async function sendToDead(server: SendingServer, room: LocalRoom): Promise<{ tries: number; cpuUs: number }> {
  await room.say('the first finds out');
  await server.idle();
  const { tries } = server.peers;
  const cpu = process.cpuUsage();
  await timesOf(room, () => server.idle());
  const { user, system } = process.cpuUsage(cpu);
  return { tries: server.peers.tries - tries, cpuUs: (user + system) / MESSAGES };
}

/** What the effect costs for each event of a room in which nobody else is. */
function costOfLocal(server: SendingServer, room: LocalRoom): number {
  const pdu = { type: 'm.room.message', content: { body: 'x'.repeat(500) } };
  const header = '{"event_id":"$e","room_version":"11","state":[],"root":"","visibility":"shared","extremities":["$e"]';
  const fact = {
    stream: `room-${room.roomId}`,
    type: 'pdu-accepted',
    data: `${header},"pdu":${JSON.stringify(pdu)}}`,
    position: '9'.repeat(18),
  } as unknown as RecordedFact; // all that is looked at
  const runs = 200_000;
  const look = (): void => {
    for (let i = 0; i < runs; i++)
      if (server.sending.effect.keyOf(fact) !== undefined) throw new Error('it is to be sent');
  };
  look();
  const started = process.cpuUsage();
  look();
  return process.cpuUsage(started).user / runs;
}

function heapMB(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed / 2 ** 20;
}
