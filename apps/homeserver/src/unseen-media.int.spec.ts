import 'reflect-metadata';
import { expect, it } from 'vitest';
import { FederatedServer } from '../test/federated-server.js';

it('media of other servers go once nobody has asked for them for as long as is set, and are fetched again', async () => {
  const [ours, theirs] = await Promise.all([
    FederatedServer.start({ ANNALS_MEDIA_CACHE_DAYS: '0' }),
    FederatedServer.start(),
  ]);
  const [alice, bob] = await Promise.all([ours.register('alice'), theirs.register('bob')]);
  const upload = async (server: FederatedServer, token: string, body: string): Promise<string> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'text/plain' };
    const answer = await fetch(`${server.address}/_matrix/media/v3/upload`, { method: 'POST', headers, body });
    return ((await answer.json()) as { content_uri: string }).content_uri.slice('mxc://'.length);
  };
  const get = async (media: string): Promise<string> => {
    const headers = { authorization: `Bearer ${alice.token}` };
    return (await fetch(`${ours.address}/_matrix/client/v1/media/download/${media}`, { headers })).text();
  };
  const own = await upload(ours, alice.token, 'of ours');
  const theirsToo = await upload(theirs, bob.token, 'of another server');
  expect(await get(theirsToo)).toBe('of another server');
  expect(ours.sizesIn('media').toSorted()).toEqual(['of another server'.length, 'of ours'.length]);
  await ours.whileAway();
  await expect.poll(() => ours.sizesIn('media')).toEqual(['of ours'.length]);
  expect(await get(theirsToo)).toBe('of another server');
  expect(await get(own)).toBe('of ours');
  await Promise.all([ours.stop(), theirs.stop()]);
}, 60_000);
