import { describe, expect, it } from 'vitest';
import { project, type StreamFact } from '#testing/project';
import { crossSigningProjector } from './cross-signing.projector.js';

const ALICE = '@alice:a.example';
const BOB = '@bob:a.example';
const STREAM = `user-${ALICE}`;
const set = (keys: object): StreamFact => ({ stream: STREAM, type: 'cross-signing-keys-set', data: keys });
const signed = (...of: (readonly [userId: string, target: string, keyId: string])[]): StreamFact => ({
  stream: STREAM,
  type: 'signatures-added',
  data: {
    signatures: of.map(([user_id, target, key_id]) => ({ user_id, target, key_id, signature: 's', signed: 'h' })),
  },
});
const removed = (...ids: string[]): StreamFact => ({
  stream: STREAM,
  type: 'devices-removed',
  data: { device_ids: ids },
});
const closed: StreamFact = { stream: STREAM, type: 'account-deactivated', data: {} };

/** What was signed by what, as rows name it. */
const signatures = async (...facts: StreamFact[]): Promise<string[]> =>
  Object.keys(await project(crossSigningProjector, facts))
    .filter((row) => row.startsWith('key-signatures '))
    .map((row) => row.split(' ').slice(3).join(' '));

describe('cross-signing keys', () => {
  it('are those that were set last of each, until there is another master key', async () => {
    const keysOf = async (...facts: StreamFact[]): Promise<unknown> =>
      (await project(crossSigningProjector, facts))[`cross-signing-keys ${ALICE}`];
    const first = set({ master: { m: 1 }, self_signing: { s: 1 } });
    expect(await keysOf(first, set({ user_signing: { u: 1 } }))).toEqual({ master: { m: 1 }, self_signing: { s: 1 }, user_signing: { u: 1 } }); // prettier-ignore
    expect(await keysOf(first, set({ master: { m: 2 } }))).toEqual({ master: { m: 2 } });
    expect(await keysOf(first, closed)).toBeUndefined();
  });
});

describe('signatures', () => {
  const own = signed([ALICE, 'D', 'ed25519:self'], [ALICE, 'E', 'ed25519:self'], [ALICE, 'master', 'ed25519:D']);
  const ofBob = signed([BOB, 'his', 'ed25519:user']);

  it('go with the device that they are over, or by', async () => {
    expect(await signatures(own, ofBob, removed('D'))).toEqual(['E ed25519:self', 'his ed25519:user']);
    expect(await signatures(own, ofBob, removed('X'))).toHaveLength(4);
  });

  it('over one’s own keys go with the account', async () => {
    expect(await signatures(own, ofBob, closed)).toEqual(['his ed25519:user']);
  });
});
