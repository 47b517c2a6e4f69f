import { expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { PersonalData } from '#personal-data/personal-data';
import type { Views } from '#projections/views';
import { MemoryReadModels } from '#testing/memory-read-models';
import { TEST_NAMES } from '#testing/test-names';
import { MailPushers } from './digests/mail-pusher.js';
import { PUSHERS } from './projections/pushers.projector.js';
import { PushData } from './push-data.js';

const ALICE = '@alice:a.example' as UserId;

it('tells somebody to which of their addresses they are mailed, and no name that stands for it', async () => {
  const mails = new MailPushers({ list: async () => ['alice@mail.example'] }, TEST_NAMES);
  const gateway = { app_id: 'app', pushkey: 'a device' };
  const named = [mails.nameOf('alice@mail.example'), mails.nameOf('gone@mail.example'), gateway];
  const rows = new MemoryReadModels();
  await rows.write(
    named.map(({ app_id, pushkey }) => ({
      collection: PUSHERS.name,
      key: [ALICE, app_id, pushkey],
      value: JSON.stringify({ app_id, pushkey, kind: app_id === 'app' ? 'http' : 'email', set_at: 1 }),
    })),
  );
  const data = new PersonalData();
  expect(() => new PushData(data, mails, rows as unknown as Views)).not.toThrow();
  const told: unknown[] = [];
  for await (const record of data.all.find(({ name }) => name === 'pushers')!.read(ALICE))
    told.push(record.data['pushkey']);
  expect(told.toSorted()).toEqual(
    [mails.nameOf('gone@mail.example').pushkey, 'a device', 'alice@mail.example'].toSorted(),
  );
});
