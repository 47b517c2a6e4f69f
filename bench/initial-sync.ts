import { type Figure, median, under } from './figures.js';
import { RunningServer } from './running-server.js';
import { send } from './send.js';

const ROOMS = 100;
const EVENTS = 50;

/** The first sync of a user in many rooms. */
export async function benchInitialSync(): Promise<Figure[]> {
  const server = await RunningServer.start();
  try {
    const alice = await server.register('alice');
    for (let i = 0; i < ROOMS; i++) {
      const room = await server.createRoom(alice, { name: `Room ${i}` });
      await Promise.all(Array.from({ length: EVENTS }, (_, j) => send(server, alice, room, `r${i}e${j}`)));
    }
    const filter = encodeURIComponent(JSON.stringify({ room: { timeline: { limit: EVENTS } } }));
    const times: number[] = [];
    let events = 0;
    for (let i = 0; i < 15; i++) {
      const started = performance.now();
      const text = await server.text('GET', `/_matrix/client/v3/sync?filter=${filter}`, alice.token);
      times.push(performance.now() - started);
      events = countEvents(text);
    }
    if (events !== ROOMS * EVENTS) throw new Error(`the sync had ${events} timeline events`);
    return [under(`initial sync of ${ROOMS} rooms with ${EVENTS} events each`, 'ms', median(times.slice(3)), 100)];
  } finally {
    await server.stop();
  }
}

function countEvents(text: string): number {
  const { rooms } = JSON.parse(text) as { rooms: { join: Record<string, { timeline: { events: unknown[] } }> } };
  return Object.values(rooms.join).reduce((sum, { timeline }) => sum + timeline.events.length, 0);
}
