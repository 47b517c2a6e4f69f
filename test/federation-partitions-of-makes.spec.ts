import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { annals } from './support/annals.js';
import { Divided } from './support/federation/divided.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import type { Federating } from './support/federation/other-server.js';
import { startSynapse, SYNAPSE } from './support/federation/synapse.js';
import { WITHOUT_PRESENCE } from './support/homeserver.js';

const SEEDS = (process.env['PARTITION_SEEDS'] ?? '1,2').split(',').map(Number);
const VERSIONS = ['10', '12', '11'];
const ROUNDS = 2;

describe.skipIf(SYNAPSE === undefined)('rooms of two servers of ours and a Synapse', () => {
  const servers: Federating[] = [];
  let ours: FederatingAnnals[];
  beforeAll(async () => {
    const authority = new TestAuthority();
    ours = [
      await FederatingAnnals.begin(authority, WITHOUT_PRESENCE),
      await FederatingAnnals.begin(authority, WITHOUT_PRESENCE),
    ];
    servers.push(...ours, await startSynapse(authority));
  });
  afterAll(async () => {
    for (const server of servers) await server.remove();
  });

  it.each(SEEDS)(
    'have the same state at all three after they were cut off from each other in many ways (seed %i)',
    async (seed) => {
      const room = await Divided.goThrough(servers, {
        seed,
        version: VERSIONS[seed % VERSIONS.length]!,
        rounds: ROUNDS,
      });
      await room.expectSameState();
    },
    300_000,
  );

  it('hold in the logs of ours afterwards', async () => {
    for (const server of ours) expect(await annals(server, 'verify')).toMatchObject({ code: 0 });
  });
});
