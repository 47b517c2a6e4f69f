import { type Figure, percentile, timesFloor } from './figures.js';
import { type BenchUser, RunningServer } from './running-server.js';
import { send } from './send.js';

/** So many log in by a password, over and over, each waiting for its own. */
const CLIENTS = 20;
const ROUNDS = 5;
const SECONDS = 4;
/** A client that sends now and then: nothing of what it waits for is other sends. */
const PAUSE_MS = 10;

/**
 * Sends of one client alone and beside twenty that log in by passwords all the time, in turns: argon2 takes threads of its own, and two processors where
 * there are no more, but never the thread that answers.
 */
export async function benchLogins(): Promise<Figure[]> {
  const server = await RunningServer.start();
  try {
    const alice = await server.register('alice');
    const room = await server.createRoom(alice);
    const names = Array.from({ length: CLIENTS }, (_, i) => `client${i}`);
    for (const name of names) await server.register(name);
    await sendsOf(server, alice, room, 'warm');
    const [alone, beside]: [number[], number[]] = [[], []];
    let logins = 0;
    for (let round = 0; round < ROUNDS; round++) {
      alone.push(...(await sendsOf(server, alice, room, `alone${round}`)));
      const crowd = logInOverAndOver(server, names);
      beside.push(...(await sendsOf(server, alice, room, `beside${round}`)));
      logins += await crowd.end();
    }
    const name = `a send beside ${CLIENTS} who log in by passwords (${Math.round(logins / (ROUNDS * SECONDS))} a second)`;
    const figure = (p: number, most: number): Figure => {
      const floor = { name: `alone, p${p}`, value: percentile(alone, p) };
      return timesFloor(`${name}, p${p}`, 'ms', percentile(beside, p), floor, most);
    };
    return [figure(50, 3), figure(99, 5)];
  } finally {
    await server.stop();
  }
}

/** How long each of the sends of some seconds took. */
async function sendsOf(server: RunningServer, user: BenchUser, room: string, txn: string): Promise<number[]> {
  const times: number[] = [];
  const end = performance.now() + SECONDS * 1_000;
  for (let i = 0; performance.now() < end; i++) {
    const started = performance.now();
    await send(server, user, room, `${txn}-${i}`);
    times.push(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return times;
}

/** Each on one device, so that no sessions pile up. */
function logInOverAndOver(server: RunningServer, names: readonly string[]): { end(): Promise<number> } {
  const over = new AbortController();
  let count = 0;
  const logIn = async (name: string): Promise<void> => {
    const identifier = { type: 'm.id.user', user: name };
    const body = { type: 'm.login.password', identifier, password: `password of ${name}`, device_id: 'BENCH' };
    for (; !over.signal.aborted; count++) await server.text('POST', '/_matrix/client/v3/login', undefined, body);
  };
  const all = Promise.all(names.map(logIn));
  return {
    async end() {
      over.abort();
      await all;
      return count;
    },
  };
}
