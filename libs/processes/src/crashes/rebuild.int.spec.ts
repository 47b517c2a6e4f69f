import { expect, test } from 'vitest';
import { endAtEachStep } from '#testing/end-at-each-step';
import type { SyncApp } from '#testing/sync-app';

const MINUTES = 10 * 60_000;
const PROJECTION = 'timeline';

async function rebuilt(app: SyncApp): Promise<void> {
  const next = async (): Promise<unknown> => (await app.views.operations.status(PROJECTION)).next;
  await expect.poll(next, { interval: 5 }).toBeUndefined();
}

test(
  'a process that ends while views are rebuilt leaves the old ones, or the next one finishes the new: what they show is the same',
  async () => {
    const steps = await endAtEachStep({
      async prepare(app: SyncApp) {
        const alice = await app.register('alice');
        const roomId = await alice.createRoom();
        const sent = [await alice.send(roomId, 'one'), await alice.send(roomId, 'two')];
        return { alice, roomId, sent, rows: await app.views.operations.checksum(PROJECTION) };
      },
      async act(app) {
        await app.views.operations.rebuild(PROJECTION, { switchByHand: false, fromStart: false });
        await rebuilt(app);
      },
      async check(app, { alice, roomId, sent, rows }) {
        expect((await alice.on(app).sync()).rooms.join[roomId].timeline.events.slice(-2)).toMatchObject(
          sent.map((eventId) => ({ event_id: eventId })),
        );
        await rebuilt(app);
        expect(await app.views.operations.checksum(PROJECTION)).toEqual(rows);
        sent.push(await alice.on(app).send(roomId, 'three'));
        expect((await alice.on(app).sync()).rooms.join[roomId].timeline.events.at(-1).event_id).toBe(sent.pop());
      },
    });
    expect(steps).toBeGreaterThan(2);
  },
  MINUTES,
);
