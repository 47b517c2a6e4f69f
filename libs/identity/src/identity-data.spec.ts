import { beforeAll, describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { PersonalData } from '#personal-data/personal-data';
import type { Views } from '#projections/views';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts, recordFacts, type StreamFact } from '#testing/project';
import type { Bindings } from './client/bindings.js';
import { IdentityData } from './identity-data.js';
import { identityProjector } from './projections/identity.projector.js';
import { storedInvitesProjector } from './projections/stored-invites.projector.js';

const ALICE = '@alice:a.example' as UserId;
const BOB = '@bob:b.example' as UserId;

const association = (mxid: UserId, address: string): StreamFact => {
  const times = { ts: 1, not_before: 1, not_after: 2 };
  const data = { association_id: address, ...times, by: 'a.example', of: { medium: 'email', address }, mxid };
  return { stream: `association-${address}`, type: 'association-made', data };
};
const invite = (token: string, sender: UserId): StreamFact => {
  const data = { token, room_id: '!room', sender, public_key: `key of ${token}`, until: 3 };
  return { stream: 'stored-invites-hash', type: 'invite-stored', data };
};
const account = (userId: UserId, type: string, data: object): StreamFact => {
  return { stream: `identity-account-${userId}`, type, data };
};

describe('what an identity server has of somebody', () => {
  const data = new PersonalData();

  beforeAll(async () => {
    const rows = new MemoryReadModels();
    const asked = recordFacts([
      association(ALICE, 'alice@a.example'),
      association(BOB, 'bob@b.example'),
      account(ALICE, 'identity-terms-accepted', { urls: ['https://a.example/terms'] }),
      account(ALICE, 'identity-readers-set', { readers: ['contacts'] }),
      account(BOB, 'identity-readers-set', { readers: [] }),
    ]);
    await applyFacts(identityProjector, asked, rows);
    const invites = [invite('hers', ALICE), invite('claimed', BOB), invite('of another', BOB)];
    const claim = { token: 'claimed', mxid: ALICE, until: 3 };
    const claimed = { stream: 'stored-invites-hash', type: 'invite-claimed', data: claim };
    await applyFacts(storedInvitesProjector, recordFacts([...invites, claimed]), rows);
    const bindings = {
      of: async () => [{ server: 'id.example', of: { medium: 'email', address: 'alice@a.example' } }],
    };
    const identity = new IdentityData(data, bindings as unknown as Bindings, rows as unknown as Views);
    expect(identity).toBeDefined();
  });

  const readKind = async (name: string): Promise<JsonObject[]> => {
    const told: JsonObject[] = [];
    for await (const record of data.all.find((kind) => kind.name === name)!.read(ALICE)) told.push(record.data);
    return told;
  };

  it('is by what others find them, and who may', async () => {
    const times = { since_ts: 1, valid_from_ts: 1, valid_until_ts: 2 };
    expect(await readKind('associations')).toEqual([{ medium: 'email', address: 'alice@a.example', ...times }]);
    expect(await readKind('found-by')).toEqual([{ readers: ['contacts'] }]);
    expect(await readKind('identity-terms')).toEqual([{ urls: ['https://a.example/terms'] }]);
  });

  it('is told with the servers that were told their addresses', async () => {
    const [server] = await readKind('identity-servers');
    expect(server).toEqual({ server_name: 'id.example', medium: 'email', address: 'alice@a.example' });
  });

  it('is which invitations they sent, or claimed', async () => {
    const of = { room_id: '!room', until_ts: 3 };
    expect((await readKind('invitations-by-address')).toSorted((a, b) => (a['by']! < b['by']! ? -1 : 1))).toEqual([
      { ...of, by: ALICE, is_claimed_by_you: false },
      { ...of, by: BOB, is_claimed_by_you: true },
    ]);
  });
});
