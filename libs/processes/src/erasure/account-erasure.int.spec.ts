import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { SyncApp, type SyncUser } from '#testing/sync-app';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';

const SECRET = 'Zoë of the secret word';

let store: MemoryEventStore;
let app: SyncApp;
let zoe: SyncUser;

beforeEach(async () => {
  store = new MemoryEventStore();
  app = await SyncApp.start({ store, readModels: new MemoryReadModels() });
  zoe = await app.register('zoe');
  await zoe.ok('PUT', `/profile/${zoe.userId}/displayname`, { displayname: SECRET });
  await zoe.ok('PUT', `/user/${zoe.userId}/account_data/org.example`, { kept: SECRET });
});
afterEach(() => app.close());

const textOfLog = (): string =>
  store.facts
    .filter(({ stream }) => stream.startsWith('user-'))
    .map(({ data }) => data)
    .join('\n');

test('what somebody said of themself and kept leaves the log with their account, and a rebuild makes the same of it', async () => {
  await zoe.close({ erase: true });
  await expect.poll(textOfLog).not.toContain(SECRET);
  await expectSameRowsRebuilt(app, ['profiles', 'account-data', 'accounts']);
});

test('it stays where nobody asked for that', async () => {
  await zoe.close({ erase: false });
  expect(textOfLog()).toContain(SECRET);
});
