import { expect, it } from 'vitest';
import { endAtEachStep } from '#testing/end-at-each-step';
import { SyncApp } from '#testing/sync-app';

const MINUTES = 10 * 60_000;
const VERSION = { algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2', auth_data: {} };
const key = (data: string) => ({
  first_message_index: 0,
  forwarded_count: 0,
  is_verified: false,
  session_data: { data },
});
const KEYS = '/room_keys/keys/!room:a.example';

it(
  'a process that ends while keys are backed up and a version is deleted leaves counts that are right, and nothing of the version in the log',
  async () => {
    const steps = await endAtEachStep({
      async prepare(app: SyncApp) {
        const alice = await app.register('alice');
        await alice.ok('POST', '/room_keys/version', VERSION);
        await alice.ok('PUT', `${KEYS}/old?version=1`, key('old secret'));
        await alice.ok('POST', '/room_keys/version', VERSION);
        return alice;
      },
      async act(app, before) {
        const alice = before.on(app);
        const answer = await alice.ok('PUT', `${KEYS}?version=2`, { sessions: { a: key('a'), b: key('b') } });
        await alice.ok('DELETE', '/room_keys/version/1');
        return answer;
      },
      async check(app, before, answer) {
        const alice = before.on(app);
        if (answer !== undefined) expect(answer).toEqual({ count: 2, etag: '1' });
        expect(await alice.ok('PUT', `${KEYS}?version=2`, { sessions: { a: key('a'), b: key('b') } })).toEqual({ count: 2, etag: '1' }); // prettier-ignore
        expect(await alice.ok('GET', '/room_keys/version')).toMatchObject({ version: '2', count: 2, etag: '1' });
        expect(Object.keys((await alice.ok('GET', `${KEYS}?version=2`)).sessions)).toEqual(['a', 'b']);
        await alice.ok('DELETE', '/room_keys/version/1');
        expect((await alice.call('GET', `${KEYS}?version=1`)).status).toBe(404);
        const ofDeleted = async (): Promise<string> => JSON.stringify(await app.factsOf(`backup-${alice.userId}|1`));
        await expect.poll(ofDeleted).not.toContain('old secret');
        expect(await alice.ok('DELETE', `${KEYS}/a?version=2`)).toEqual({ count: 1, etag: '2' });
      },
    });
    expect(steps).toBeGreaterThan(4);
  },
  MINUTES,
);
