import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ExpireMessages } from '#devices/commands/expire-messages';
import { Inboxes } from '#devices/inboxes';
import type { RecordedFact } from '#event-store/event-store';
import { nameLog, noteRestored } from '#event-store/log-identity';
import { systemClock } from '#kernel/clock';
import { LOGGER } from '#observability/logger';
import { METRICS, type Metrics } from '#observability/metrics';
import { VIEWS } from '#projections/views';
import { READ_MODEL_STORE } from '#read-models/read-model-store';
import { TEST_AUTHOR } from '#testing/local-room';
import type { Type } from '@nestjs/common';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';
import { type SyncAnswer, SyncApp, type SyncUser } from '#testing/sync-app';

interface Device {
  readonly user: SyncUser;
  readonly id: string;
}

let count = 0;
let transactions = 0;

const deviceOf = async (user: SyncUser): Promise<Device> => ({
  user,
  id: (await user.ok('GET', '/account/whoami')).device_id,
});

/** What an answer to /sync says was sent to the device: the numbers in the messages. */
const told = (answer: SyncAnswer['body']): number[] =>
  answer.to_device.events.map(({ content }: { content: { n: number } }) => content.n);

describe('messages to devices', () => {
  let app: SyncApp;
  let alice: Device;
  let bob: Device;
  beforeAll(async () => void (app = await SyncApp.start()));
  afterAll(() => app.close());
  beforeEach(async () => {
    count++;
    alice = await deviceOf(await app.register(`alice${count}`));
    bob = await deviceOf(await app.register(`bob${count}`));
  });

  /** Sends, and settles once it can be read. */
  const put = async (
    from: Device,
    messages: unknown,
    txn = `t${transactions++}`,
    type = 'm.test',
  ): Promise<SyncAnswer> => {
    const answer = await from.user.call('PUT', `/sendToDevice/${type}/${txn}`, { messages });
    await app.settled();
    return answer;
  };
  const send = async (from: Device, messages: object, txn?: string): Promise<void> =>
    expect(await put(from, messages, txn)).toEqual({ status: 200, body: {} });
  const sendNumber = (from: Device, to: Device, n: number, txn?: string): Promise<void> =>
    send(from, { [to.user.userId]: { [to.id]: { n } } }, txn);
  const sentBy = ({ user, id }: Device): Promise<RecordedFact[]> => app.factsOf(`sent-${user.userId}|${id}`);

  it('come as they were sent, with their sender and type, in the order of the sender', async () => {
    const { next_batch: since } = await bob.user.sync();
    for (let n = 0; n < 5; n++) await sendNumber(alice, bob, n);
    const answer = await bob.user.sync({ since });
    expect(told(answer)).toEqual([0, 1, 2, 3, 4]);
    expect(answer.to_device.events[0]).toEqual({ sender: alice.user.userId, type: 'm.test', content: { n: 0 } });
  });

  it('come again until the next token proves that they came, and then no more, whatever the token', async () => {
    const { next_batch: first } = await bob.user.sync();
    await sendNumber(alice, bob, 1);
    const { next_batch: second } = await bob.user.sync({ since: first });
    expect(told(await bob.user.sync({ since: first }))).toEqual([1]);
    expect(told(await bob.user.sync())).toEqual([1]);
    expect(told(await bob.user.sync({ since: second }))).toEqual([]);
    expect(told(await bob.user.sync({ since: first }))).toEqual([]);
    expect(told(await bob.user.sync())).toEqual([]);
  });

  it('go to each named device alone, or to all of a user, those that are named apart having their own', async () => {
    const other = await deviceOf(await bob.user.logIn());
    await send(alice, { [bob.user.userId]: { [other.id]: { n: 1 } } });
    await send(alice, { [bob.user.userId]: { '*': { n: 2 } }, [alice.user.userId]: { '*': { n: 3 } } });
    await send(alice, { [bob.user.userId]: { '*': { n: 4 }, [other.id]: { n: 5 } } });
    expect(told(await bob.user.sync())).toEqual([2, 4]);
    expect(told(await other.user.sync())).toEqual([1, 2, 5]);
    expect(told(await alice.user.sync())).toEqual([3]);
  });

  it('to whom there is not are taken and go nowhere, the others arriving', async () => {
    await send(alice, {
      '@nobody:a.example': { '*': { n: 0 }, X: { n: 0 } },
      '@far:b.example': { X: { n: 0 } },
      [bob.user.userId]: { NONE: { n: 0 }, '': { n: 0 }, [bob.id]: { n: 1 } },
    });
    await send(alice, {});
    expect(told(await bob.user.sync())).toEqual([1]);
  });

  it('of one transaction come once, however often it is tried, and after they were collected too', async () => {
    await Promise.all(Array.from({ length: 5 }, () => sendNumber(alice, bob, 1, 'same')));
    const { next_batch: since, ...answer } = await bob.user.sync();
    expect(told(answer)).toEqual([1]);
    await bob.user.sync({ since });
    await expect.poll(async () => (await sentBy(alice)).at(-1)?.data).toContain('"to":[]');
    await sendNumber(alice, bob, 1, 'same');
    expect(told(await bob.user.sync({ since }))).toEqual([]);
    // The id is good for one device and one path.
    await put(alice, { [bob.user.userId]: { [bob.id]: { n: 2 } } }, 'same', 'm.other');
    await sendNumber(await deviceOf(await alice.user.logIn()), bob, 3, 'same');
    expect(told(await bob.user.sync({ since }))).toEqual([2, 3]);
  });

  it('end a long poll of the device', async () => {
    const { next_batch: since } = await bob.user.sync();
    const waiting = bob.user.sync({ since, timeout: 60_000 });
    await sendNumber(alice, bob, 1);
    expect(told(await waiting)).toEqual([1]);
  });

  it('come a hundred at a time, and the next answer does not wait', async () => {
    const { next_batch } = await bob.user.sync();
    await Promise.all(Array.from({ length: 250 }, (_, n) => sendNumber(alice, bob, n)));
    const heard: number[][] = [];
    let since: string = next_batch;
    for (let i = 0; i < 3; i++) {
      const answer = await bob.user.sync({ since, timeout: 60_000 });
      since = answer.next_batch;
      heard.push(told(answer));
    }
    expect(heard.map(({ length }) => length)).toEqual([100, 100, 50]);
    expect(heard.flat()).toEqual(Array.from({ length: 250 }, (_, n) => n));
    expect(told(await bob.user.sync({ since }))).toEqual([]);
  });

  it('that came later than the answer was cut are not passed over', async () => {
    for (let n = 0; n < 101; n++) await sendNumber(alice, bob, n);
    const cut = await bob.user.sync();
    await sendNumber(alice, bob, 101);
    const rest = await bob.user.sync({ since: cut.next_batch });
    expect(told(rest)).toEqual([100, 101]);
    expect(told(await bob.user.sync({ since: rest.next_batch }))).toEqual([]);
  });

  it('leave nothing of their content in the log once they are collected', async () => {
    const other = await deviceOf(await bob.user.logIn());
    await send(alice, { [bob.user.userId]: { [bob.id]: { secret: 'for bob' }, [other.id]: { secret: 'for other' } } });
    await bob.user.sync({ since: (await bob.user.sync()).next_batch });
    await expect.poll(async () => (await sentBy(alice))[0]!.data).not.toContain('for bob');
    expect((await sentBy(alice))[0]!.data).toContain('for other');
    await expectSameRowsRebuilt(app, ['inbox']);
    await other.user.sync({ since: (await other.user.sync()).next_batch });
    await expect.poll(async () => (await sentBy(alice))[0]!.data).not.toContain('for other');
    await expectSameRowsRebuilt(app, ['inbox']);
  });

  it('are lost with a device that is removed: one of the same name finds nothing of them', async () => {
    const other = await deviceOf(await bob.user.logIn());
    await sendNumber(alice, other, 1);
    await other.user.ok('POST', '/logout', {});
    const login = { ...bob.user.auth, device_id: other.id };
    const { body } = await app.call('POST', '/_matrix/client/v3/login', undefined, login);
    const again = await app.call('GET', '/_matrix/client/v3/sync', body.access_token);
    expect(told(again.body)).toEqual([]);
    await expect.poll(async () => (await sentBy(alice))[0]!.data).toContain('"to":[]');
  });

  it('are dropped, the oldest first, where they are too many, too much or too old', async () => {
    const expiry = app.get(ExpireMessages);
    const none = { age: Infinity, number: Infinity, size: Infinity };
    for (let n = 0; n < 6; n++) await sendNumber(alice, bob, n);
    await expiry.sweep(none);
    expect(told(await bob.user.sync())).toEqual([0, 1, 2, 3, 4, 5]);
    await expiry.sweep({ ...none, number: 4 });
    await expect.poll(async () => told(await bob.user.sync())).toEqual([2, 3, 4, 5]);
    const [event] = (await bob.user.sync()).to_device.events;
    await expiry.sweep({ ...none, size: 3 * JSON.stringify(event).length });
    await expect.poll(async () => told(await bob.user.sync())).toEqual([3, 4, 5]);
    await expiry.sweep({ ...none, age: -1000 });
    await expect.poll(async () => told(await bob.user.sync())).toEqual([]);
    await expect.poll(async () => (await sentBy(alice)).map(({ data }) => data.includes('"to":[]'))).not.toContain(false); // prettier-ignore
  });

  it('are told of to operators while they wait, and by what they were dropped for, as the log says it too', async () => {
    const expiry = app.get(ExpireMessages);
    const metrics = app.get<Metrics>(METRICS as unknown as Type<Metrics>);
    const numbers = async (): Promise<Record<string, number>> => {
      const lines = (await metrics.expose()).text.split('\n').filter((line) => line.startsWith('annals_to_device_'));
      return Object.fromEntries(lines.map((line) => [line.slice(17).split(' ')[0]!, Number(line.split(' ')[1])]));
    };
    const dropped = async (reason: string): Promise<number> =>
      (await numbers())[`dropped_total{reason="${reason}"}`] ?? 0;
    const none = { age: Infinity, number: Infinity, size: Infinity };
    await expiry.sweep({ ...none, age: -1000 });
    await app.settled();
    await expiry.sweep(none);
    expect(await numbers()).toMatchObject({ waiting: 0, waiting_bytes: 0, waiting_devices: 0, oldest_seconds: 0 });
    for (let n = 0; n < 6; n++) await sendNumber(alice, bob, n);
    await expect.poll(() => Date.now()).toBeGreaterThan((await sentBy(alice))[0]!.metadata.at);
    await expiry.sweep(none);
    const { waiting_bytes: bytes, oldest_seconds: age, ...rest } = await numbers();
    expect(rest).toMatchObject({ waiting: 6, waiting_devices: 1 });
    expect([bytes! > 6 * '{"n":0}'.length, age! > 0 && age! < 600]).toEqual([true, true]);

    const inbox = `inbox-${bob.user.userId}|${bob.id}`;
    const sweeps = [
      ['number', 4, 2],
      ['size', bytes! / 6, 3],
      ['age', -1000, 1],
    ] as const;
    for (const [reason, limit, drops] of sweeps) {
      const before = await dropped(reason);
      await expiry.sweep({ ...none, [reason]: limit });
      await app.settled();
      expect([reason, (await dropped(reason)) - before]).toEqual([reason, drops]);
      expect(JSON.parse((await app.factsOf(inbox)).at(-1)!.data)).toMatchObject({ reason });
    }
  });

  it('stay with a device that is away however many somebody else sends to it', async () => {
    const stranger = await deviceOf(await app.register(`stranger${count}`));
    await sendNumber(alice, bob, 1);
    await sendNumber(stranger, bob, 100);
    await sendNumber(alice, bob, 2);
    for (let n = 101; n < 120; n++) await sendNumber(stranger, bob, n);
    await app.get(ExpireMessages).sweep({ age: Infinity, number: 5, size: Infinity });
    const left = [1, 2, 117, 118, 119];
    await expect.poll(async () => told(await bob.user.sync())).toEqual(left);
    await expect.poll(async () => (await sentBy(stranger)).filter(({ data }) => data.includes('"to":[]'))).toHaveLength(17); // prettier-ignore
    await expectSameRowsRebuilt(app, ['inbox']);
  });

  it('are not dropped for being too many where those that are left, once the old ones go, are not', async () => {
    for (let n = 0; n < 6; n++) {
      if (n === 3) await expect.poll(() => Date.now()).toBeGreaterThan((await sentBy(alice)).at(-1)!.metadata.at);
      await sendNumber(alice, bob, n);
    }
    const now = (await sentBy(alice))[2]!.metadata.at + 1;
    const of = <T>(token: symbol): T => app.get<T>(token as unknown as Type<T>);
    // The views show at once what was dropped, as they may.
    const expire: Inboxes['expire'] = async (...what) => {
      const dropped = await app.get(Inboxes).expire(...what);
      await app.settled();
      return dropped;
    };
    const inboxes = { expire } as Inboxes;
    const expiry = new ExpireMessages(of(VIEWS), of(READ_MODEL_STORE), { now: () => now }, of(METRICS), of(LOGGER), inboxes); // prettier-ignore
    await expiry.sweep({ age: 0, number: 5, size: Infinity });
    expect(told(await bob.user.sync())).toEqual([3, 4, 5]);
  });

  it('survive a restart, and are told once over it', async () => {
    const { next_batch: since } = await bob.user.sync();
    await sendNumber(alice, bob, 1);
    await app.restart();
    await sendNumber(alice, bob, 1, `t${transactions - 1}`);
    const answer = await bob.user.sync({ since });
    expect(told(answer)).toEqual([1]);
    await app.restart();
    expect(told(await bob.user.sync({ since: answer.next_batch }))).toEqual([]);
    expect(told(await bob.user.sync())).toEqual([]);
  });

  it('that a device has are not told again where the log was put back to after they were sent', async () => {
    const { store } = app;
    const { serverName, signingKey } = TEST_AUTHOR;
    const key = { key_id: signingKey.keyId, public_key: signingKey.publicKey.toString('base64') };
    await nameLog(store, systemClock, serverName, key);
    await sendNumber(alice, bob, 1);
    const agreed = await store.head();
    await sendNumber(alice, bob, 2);
    const answer = await bob.user.sync();
    expect(told(answer)).toEqual([1, 2]);
    // As if all behind that place were lost, though it is there: what is told of it now comes from another history.
    await noteRestored(store, systemClock, agreed);
    await app.restart();
    expect(told(await bob.user.sync({ since: answer.next_batch }))).toEqual([2]);
  });

  it.each([
    ['no messages', {}, [400, 'M_MISSING_PARAM']],
    ['messages that are none', { messages: [] }, [400, 'M_BAD_JSON']],
    ['a user who is none', { messages: { bob: {} } }, [400, 'M_INVALID_PARAM']],
    ['devices that are none', { messages: { '@b:a.example': [] } }, [400, 'M_BAD_JSON']],
    ['a message that is none', { messages: { '@b:a.example': { D: 'text' } } }, [400, 'M_BAD_JSON']],
    ['a message that is too large', { messages: { '@b:a.example': { D: { a: 'x'.repeat(65_536) } } } }, [413, 'M_TOO_LARGE']], // prettier-ignore
  ])('are refused with a standard error: %s', async (_, body, refusal) => {
    const { status, body: answer } = await alice.user.call('PUT', '/sendToDevice/m.test/bad', body);
    expect([status, answer.errcode]).toEqual(refusal);
  });

  it('are refused where the type or the id of the transaction is too long', async () => {
    const refusals = [await put(alice, {}, 'x'.repeat(256)), await put(alice, {}, 'x', 'm'.repeat(256))];
    expect(refusals.map(({ status, body }) => [status, body.errcode])).toEqual([
      [400, 'M_INVALID_PARAM'],
      [400, 'M_INVALID_PARAM'],
    ]);
  });
});
