import { afterAll, beforeAll, expect, test } from 'vitest';
import { SyncApp } from '#testing/sync-app';

const PATH = '/_matrix/client/unstable/io.element.msc4388/rendezvous';

let app: SyncApp;
beforeAll(async () => void (app = await SyncApp.start()));
afterAll(() => app.close());

test('users of the server begin a rendezvous, and a device that is nobody’s yet uses it', async () => {
  const alice = await app.register('alice');
  expect(await alice.ok('GET', PATH)).toEqual({ create_available: true });
  expect((await app.call('GET', PATH)).body).toEqual({ create_available: false });
  expect((await app.call('POST', PATH, undefined, { data: 'A' })).body.errcode).toBe('M_MISSING_TOKEN');
  const { id, sequence_token: first } = await alice.ok('POST', PATH, { data: 'A' });
  expect((await app.call('GET', `${PATH}/${id}`)).body).toMatchObject({ data: 'A', sequence_token: first });
  const put = await app.call('PUT', `${PATH}/${id}`, undefined, { sequence_token: first, data: 'B' });
  expect(put.status).toBe(200);
  const late = await app.call('PUT', `${PATH}/${id}/t1`, undefined, { sequence_token: first, data: 'C' });
  expect([late.status, late.body.errcode]).toEqual([409, 'IO_ELEMENT_MSC4388_CONCURRENT_WRITE']);
  const { sequence_token: second } = put.body;
  expect(await alice.ok('GET', `${PATH}/${id}`)).toMatchObject({ data: 'B', sequence_token: second });
  const [once, again] = [
    await alice.ok('PUT', `${PATH}/${id}/t2`, { sequence_token: second, data: 'C' }),
    await alice.ok('PUT', `${PATH}/${id}`, { sequence_token: second, data: 'C' }),
  ];
  expect(again).toEqual(once);
  expect((await app.call('DELETE', `${PATH}/${id}`)).body).toEqual({});
  expect((await app.call('GET', `${PATH}/${id}`)).body.errcode).toBe('M_NOT_FOUND');
  expect((await alice.call('POST', PATH, {})).body.errcode).toBe('M_MISSING_PARAM');
});
