import { type Figure, median } from './figures.js';
import { RunningServer } from './running-server.js';

const JOINS = 1_000;
/** The last joins may cost this much more than the first: noise, not a slope. */
const LIMIT = 1.5;

/** A thousand users join one room one after another: the last join must cost what the first did. */
export async function benchJoins(): Promise<Figure[]> {
  const server = await RunningServer.start({ env: { ANNALS_REGISTRATION_SHARED_SECRET: 'bench' } });
  try {
    const alice = await server.register('alice');
    const room = encodeURIComponent(await server.createRoom(alice));
    const users = [];
    for (let i = 0; i < JOINS; i += 8) {
      users.push(...(await Promise.all(Array.from({ length: 8 }, (_, j) => server.register(`joiner${i + j}`)))));
    }
    const times: number[] = [];
    for (const { token } of users) {
      const started = performance.now();
      await server.text('POST', `/_matrix/client/v3/rooms/${room}/join`, token, {});
      times.push(performance.now() - started);
    }
    const tenth = Math.floor(times.length / 10);
    // The first joins warm the process up, so the slope is taken from the second tenth on.
    const first = median(times.slice(tenth, 2 * tenth));
    const last = median(times.slice(-tenth));
    return [
      {
        name: `${JOINS} joins in one room: median of the last tenth`,
        value: last,
        unit: 'ms',
        floor: first,
        floorName: 'median of the second tenth, ms',
        aim: `<= ${LIMIT} times the second tenth`,
        reached: last <= first * LIMIT,
      },
    ];
  } finally {
    await server.stop();
  }
}
