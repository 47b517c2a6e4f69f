import { type Figure, median, under } from './figures.js';
import { type BenchUser, RunningServer } from './running-server.js';
import { send } from './send.js';

const ROOMS = 3_000;
const AT_ONCE = 16;
const PATH = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync';

const USERS = 100;
const CONNECTIONS = 10;
const SHARED_ROOMS = 20;

/** What Element X asks of each room in its list. */
const REQUIRED_STATE = [
  ['m.room.name', ''],
  ['m.room.encryption', ''],
  ['m.room.member', '$LAZY'],
  ['m.room.member', '$ME'],
  ['m.room.topic', ''],
  ['m.room.avatar', ''],
  ['m.room.canonical_alias', ''],
  ['m.room.power_levels', ''],
  ['m.room.join_rules', ''],
  ['m.room.tombstone', ''],
  ['m.room.create', ''],
  ['m.room.history_visibility', ''],
  ['m.space.parent', '*'],
  ['m.space.child', '*'],
  ['org.matrix.msc3401.call.member', '*'],
];

function listing(last: number, connId: string): object {
  const filters = { not_room_types: ['m.space'] };
  const list = { ranges: [[0, last]], timeline_limit: 1, required_state: REQUIRED_STATE, filters };
  const on = { enabled: true };
  return { conn_id: connId, lists: { all_rooms: list }, extensions: { account_data: on, receipts: on, typing: on } };
}

interface Answer {
  readonly pos: string;
  readonly rooms: Readonly<Record<string, unknown>>;
}

function ask(server: RunningServer, { token }: BenchUser, body: object, pos?: string, timeout = 0): Promise<Answer> {
  const from = pos === undefined ? '' : `&pos=${encodeURIComponent(pos)}`;
  return server.call('POST', `${PATH}?timeout=${timeout}${from}`, token, body);
}

async function timed<T>(times: number[], run: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await run();
  times.push(performance.now() - started);
  return result;
}

/** Runs something so many times, some at once. */
async function repeat(count: number, run: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** Sliding sync of somebody in many rooms, and of many who wait. */
export async function benchSliding(): Promise<Figure[]> {
  return [...(await benchLargeAccount()), ...(await benchIdle())];
}

async function benchLargeAccount(): Promise<Figure[]> {
  let server = await RunningServer.start();
  try {
    const alice = await server.register('alice');
    const rooms: string[] = [];
    await repeat(ROOMS, async (n) => void rooms.push(await server.createRoom(alice, { name: `Room ${n}` })));
    const { directory } = server;
    await server.stop({ keep: true });
    server = await RunningServer.start({ directory });
    const cold: number[] = [];
    await timed(cold, () => ask(server, alice, listing(19, 'cold')));
    const first: number[] = [];
    for (let n = 0; n < 20; n++) {
      const { rooms: told } = await timed(first, () => ask(server, alice, listing(19, 'first')));
      if (Object.keys(told).length !== 20) throw new Error(`${Object.keys(told).length} rooms were told`);
    }
    let { pos } = await ask(server, alice, listing(19, 'all'));
    for (let last = 119; last < ROOMS + 100; last += 100)
      ({ pos } = await ask(server, alice, listing(last, 'all'), pos));
    const later: number[] = [];
    for (let n = 0; n < 100; n++) {
      await send(server, alice, rooms[(n * 37) % ROOMS]!, `later${n}`);
      const answer = await timed(later, () => ask(server, alice, listing(ROOMS, 'all'), pos));
      if (Object.keys(answer.rooms).length !== 1) throw new Error('the message was not told alone');
      ({ pos } = answer);
    }
    return [
      under(`sliding sync, ${ROOMS} rooms: first answer (20 rooms) of a process`, 'ms', median(cold), 200),
      under(`sliding sync, ${ROOMS} rooms: first answer (20 rooms)`, 'ms', median(first.slice(3)), 40),
      under(`sliding sync, ${ROOMS} rooms: answer after a message`, 'ms', median(later.slice(10)), 5),
    ];
  } finally {
    await server.stop();
  }
}

async function benchIdle(): Promise<Figure[]> {
  const server = await RunningServer.start({ connections: USERS * CONNECTIONS + 50, inspected: true });
  try {
    const users: BenchUser[] = [];
    await repeat(USERS, async (n) => void users.push(await server.register(`user${n}`)));
    const rooms: string[] = [];
    await repeat(SHARED_ROOMS, async (n) => void rooms.push(await server.createRoom(users[n]!)));
    for (const room of rooms)
      await repeat(USERS, (n) =>
        server.call('POST', `/_matrix/client/v3/join/${encodeURIComponent(room)}`, users[n]!.token, {}),
      );
    // What the process takes for answering at all does not count.
    for (const user of users) await ask(server, user, listing(19, 'warm'));
    const before = await residentMB(server);
    const waiting: Promise<unknown>[] = [];
    for (const user of users) {
      for (let n = 0; n < CONNECTIONS; n++) {
        const { pos } = await ask(server, user, listing(19, `c${n}`));
        waiting.push(ask(server, user, listing(19, `c${n}`), pos, 60_000).catch(() => {}));
      }
    }
    const cost = (await residentMB(server)) - before;
    return [under(`sliding sync, ${USERS * CONNECTIONS} connections that wait`, 'MB', cost, 60)];
  } finally {
    await server.stop();
  }
}

/** What the server needs. What it has not let go yet differs by 80 MB from one run to another. */
async function residentMB(server: RunningServer): Promise<number> {
  for (let n = 0; n < 3; n++) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await server.collectGarbage();
  }
  return server.residentMB();
}
