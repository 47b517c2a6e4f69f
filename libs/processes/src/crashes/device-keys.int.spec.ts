import { expect, it } from 'vitest';
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
        const left = async (): Promise<string[]> =>
          (await app.factsOf(`device-${laptop.userId}|${device}`)).map(({ type }) => type);
        await expect.poll(left).toEqual(['device-keys-ended']);
      },
    });
    expect(steps).toBeGreaterThan(3);
  },
  MINUTES,
);
