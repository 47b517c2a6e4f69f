import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ReceiveMessages } from '#devices/commands/receive-messages';
import { mailboxOfServer } from '#devices/facts/to-device-facts';
import { INBOX } from '#devices/projections/inbox.projector';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { VIEWS, type Views } from '#projections/views';
import { type SyncAnswer, SyncApp, type SyncUser } from '#testing/sync-app';

const B = 'b.example' as ServerName;
const BOB = '@b|ob:b.example';

let app: SyncApp;
let alice: SyncUser;
let device: string;
let count = 0;
beforeAll(async () => void (app = await SyncApp.start()));
afterAll(() => app.close());
beforeEach(async () => {
  alice = await app.register(`alice${count++}`);
  device = (await alice.ok('GET', '/account/whoami')).device_id;
});

const told = (answer: SyncAnswer['body']): number[] =>
  answer.to_device.events.map(({ content }: { content: { n: number } }) => content.n);

/** A message of Bob's, as his server tells it. */
async function tell(n: number, other: JsonObject = {}, origin = B): Promise<void> {
  const messages = { [alice.userId]: { [device]: { n } } };
  const content = { sender: BOB, type: 'm.test', message_id: `${alice.userId} ${n}`.slice(-32), messages, ...other };
  await app.get(ReceiveMessages).receive(origin, content);
  await app.settled();
}

describe('a message of another server', () => {
  it('is told as one of a user here, in the order in which it came, and wakes who waits', async () => {
    const { next_batch: since } = await alice.sync();
    const waiting = alice.sync({ since, timeout: 10_000 });
    await tell(0);
    expect(told(await waiting)).toEqual([0]);
    await tell(1);
    const answer = await alice.sync({ since });
    expect(told(answer)).toEqual([0, 1]);
    expect(answer.to_device.events[0]).toEqual({ sender: BOB, type: 'm.test', content: { n: 0 } });
  });

  it('is taken once, also when our server has started again since, and another one of the same id by another user', async () => {
    await tell(0);
    await tell(0);
    await app.restart();
    await tell(0);
    await tell(0, { sender: '@carol:b.example' });
    expect(told(await alice.on(app).sync())).toEqual([0, 0]);
    expect((await app.factsOf(`received-${BOB}`)).length).toBeGreaterThan(0);
  });

  it('reaches all devices of a user where it is for all', async () => {
    const second = await alice.logIn();
    await tell(0, { messages: { [alice.userId]: { '*': { n: 7 } } } });
    expect([told(await alice.sync()), told(await second.sync())]).toEqual([[7], [7]]);
  });

  it.each<[string, JsonObject, ServerName?]>([
    ['of a user of a third server', { sender: '@bob:c.example' }],
    ['that says to be of ours', { sender: '@bob:a.example' }],
    ['without a sender', { sender: undefined }],
    ['without an id', { message_id: undefined }],
    ['with an id that is too long', { message_id: 'x'.repeat(300) }],
    ['without a type', { type: 7 }],
    ['with a list of messages', { messages: [] }],
    ['that is too long', { messages: { '@x:a.example': { X: { text: 'x'.repeat(70_000) } } } }],
  ])('%s is refused, and nothing is written', async (_, other) => {
    const head = await app.store.head();
    await expect(tell(0, other)).rejects.toMatchObject({ errcode: expect.stringMatching(/^M_/) });
    expect(await app.store.head()).toBe(head);
  });

  it('for nobody here is not kept', async () => {
    const head = await app.store.head();
    await tell(0, { messages: { '@nobody:a.example': { '*': {} }, [alice.userId]: { NONE: {} }, '@x:c.example': { '*': {} } } }); // prettier-ignore
    expect(await app.store.head()).toBe(head);
  });
});

it('a message to users of other servers waits for nobody where none is spoken to', async () => {
  const messages = { [BOB]: { '*': { n: 1 } } };
  expect(await alice.call('PUT', '/sendToDevice/m.test/t1', { messages })).toMatchObject({ status: 200 });
  await app.settled();
  const views = app.get(VIEWS as never) as Views;
  expect(await INBOX.scan(views, { prefix: mailboxOfServer(B), limit: 1 })).toEqual([]);
});
