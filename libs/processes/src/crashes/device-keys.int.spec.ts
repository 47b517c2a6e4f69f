import type { Type } from '@nestjs/common';
import { expect, it } from 'vitest';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { endAtEachStep } from '#testing/end-at-each-step';
import { SyncApp } from '#testing/sync-app';

const MINUTES = 10 * 60_000;

it(
  'a process that ends while a device is removed leaves none of its keys in the log',
  async () => {
    const steps = await endAtEachStep({
      async prepare(app: SyncApp) {
        const alice = await app.register('alice');
        const laptop = await alice.logIn();
        await laptop.ok('POST', '/keys/upload', { one_time_keys: { 'curve25519:A': 'key' } });
        return { laptop, device: (await laptop.ok('GET', '/account/whoami')).device_id as string };
      },
      act: (app, { laptop }) => laptop.on(app).ok('POST', '/logout', {}),
      async check(app, { laptop, device }) {
        await laptop.on(app).call('POST', '/logout', {});
        const store = app.get<EventStore>(EVENT_STORE as unknown as Type<EventStore>);
        const types = async (): Promise<string[]> => {
          const found: string[] = [];
          for await (const { type } of store.readStream(`device-${laptop.userId}|${device}`)) found.push(type);
          return found;
        };
        await expect.poll(types).toEqual(['device-keys-ended']);
      },
    });
    expect(steps).toBeGreaterThan(3);
  },
  MINUTES,
);
