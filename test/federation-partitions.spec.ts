import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { annals } from './support/annals.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { Divided } from './support/federation/divided.js';
import { WITHOUT_PRESENCE } from './support/homeserver.js';

/** More of them by hand: PARTITION_SEEDS=1,2,3. */
const SEEDS = (process.env['PARTITION_SEEDS'] ?? '1,3').split(',').map(Number);
const VERSIONS = ['10', '12', '6', '11'];
const ROUNDS = 3;

const servers: FederatingAnnals[] = [];

beforeAll(async () => {
  const authority = new TestAuthority();
  const starting = [1, 2, 3].map(() => FederatingAnnals.begin(authority, WITHOUT_PRESENCE));
  servers.push(...(await Promise.all(starting)));
});
afterAll(async () => {
  for (const server of servers) await server.remove();
});

it.each(SEEDS)(
  'three servers that were cut off from each other in many ways agree in the end (seed %i)',
  async (seed) => {
    const room = await Divided.goThrough(servers, { seed, version: VERSIONS[seed % VERSIONS.length]!, rounds: ROUNDS });
    await room.expectSameEverywhere();
  },
  300_000,
);

it('the logs of all three hold afterwards', async () => {
  for (const server of servers) {
    const { code, output } = await annals(server, 'verify');
    expect([code, output]).toEqual([0, expect.any(String)]);
  }
});
