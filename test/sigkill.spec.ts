import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Client, Homeserver } from './support/homeserver.js';
import { describeWithLogs } from './support/stores.js';

/** `ANNALS_KILLS=100` for the long run. */
const KILLS = Number(process.env['ANNALS_KILLS'] ?? 5);
const WRITERS = 8;

describeWithLogs('a server that is killed under load', (log) => {
  let server: Homeserver;

  beforeAll(async () => {
    server = await Homeserver.start({ log });
  });
  afterAll(() => server.remove());

  test(
    `loses no acknowledged event and doubles none, ${KILLS} times`,
    async () => {
      const alice = await server.register('alice');
      const room = await alice.createRoom();
      const acknowledged = new Map<string, string>();
      let txn = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        let running = true;
        const unanswered = new Set<string>();
        const write = async (): Promise<void> => {
          while (running) {
            const id = `kill-${txn++}`;
            const eventId = await sendOnce(alice, room, id);
            if (eventId === undefined) {
              unanswered.add(id);
              running = false;
            } else acknowledged.set(id, eventId);
          }
        };
        const writers = Array.from({ length: WRITERS }, write);
        await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 300));
        await server.end('SIGKILL');
        running = false;
        await Promise.all(writers);
        await server.start();
        // What was in flight is sent again, as a client does, and so is the last that was answered: the same transaction
        // is the same event.
        for (const id of [...unanswered, ...[...acknowledged.keys()].slice(-WRITERS)]) {
          const eventId = await sendOnce(alice, room, id);
          expect(eventId).toEqual(acknowledged.get(id) ?? expect.any(String));
          acknowledged.set(id, eventId as string);
        }
      }
      const sent = await timelineOf(alice, room);
      const bodies = sent.map((event) => event.content.body);
      expect(new Set(bodies).size).toBe(bodies.length);
      const byId = new Map(sent.map((event) => [event.event_id, event.content.body]));
      expect([...acknowledged].filter(([id, eventId]) => byId.get(eventId) !== id)).toEqual([]);
      expect(acknowledged.size).toBeGreaterThan(KILLS);
    },
    KILLS * 30_000,
  );
});

async function sendOnce(client: Client, room: string, txnId: string): Promise<string | undefined> {
  try {
    return await client.send(room, txnId, txnId);
  } catch {
    return undefined;
  }
}

async function timelineOf(client: Client, room: string): Promise<{ event_id: string; content: { body: string } }[]> {
  const events: { event_id: string; type: string; content: { body: string } }[] = [];
  let from = '';
  for (;;) {
    const page = await client.ok('GET', `/rooms/${encodeURIComponent(room)}/messages?dir=f&limit=500${from}`);
    events.push(...page.chunk);
    if (page.end === undefined || page.chunk.length === 0) break;
    from = `&from=${page.end}`;
  }
  return events.filter(({ type }) => type === 'm.room.message');
}
