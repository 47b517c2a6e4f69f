import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SlidingClient } from '#testing/sliding-client';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

const LIST = { ranges: [[0, 19]], required_state: [], timeline_limit: 1 };
const on = { enabled: true };
const asking = (extensions: object, lists: object = { all: LIST }): object => ({ lists, extensions });

describe('extensions of sliding sync', () => {
  let app: SyncApp;
  let users = 0;
  const person = (): Promise<SyncUser> => app.register(`person${users++}`);
  const shared = async (): Promise<{ alice: SyncUser; bob: SyncUser; room: string }> => {
    const [alice, bob] = [await person(), await person()];
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(room);
    return { alice, bob, room };
  };
  const deviceOf = async (user: SyncUser): Promise<string> => (await user.ok('GET', '/account/whoami')).device_id;
  const read = (user: SyncUser, room: string, event: string, type = 'm.read', body: object = {}): Promise<unknown> =>
    user.ok('POST', `${roomPath(room)}/receipt/${type}/${encodeURIComponent(event)}`, body);

  beforeAll(async () => {
    app = await SyncApp.start();
  });
  afterAll(() => app.close());

  it('tell nothing that was not asked for', async () => {
    const { alice } = await shared();
    const client = new SlidingClient(alice);
    expect((await client.next(asking({}))).extensions).toEqual({});
    expect((await client.next(asking({ typing: { enabled: false }, e2ee: {} }))).extensions).toEqual({});
  });

  describe('to_device', () => {
    let txn = 0;
    const sendTo = async (from: SyncUser, to: SyncUser, n: number): Promise<void> => {
      const messages = { [to.userId]: { [await deviceOf(to)]: { n } } };
      await from.ok('PUT', `/sendToDevice/m.test/t${txn++}`, { messages });
    };
    const numbers = (answer: { extensions: { to_device: { events: { content: { n: number } }[] } } }): number[] =>
      answer.extensions.to_device.events.map(({ content }) => content.n);

    it('tells messages again until their token comes back, on whichever connection', async () => {
      const [alice, bob] = [await person(), await person()];
      const client = new SlidingClient(bob, 'encryption');
      const empty = await client.next({ extensions: { to_device: on } });
      expect(empty.extensions.to_device).toEqual({ events: [], next_batch: expect.any(String) });
      const since = empty.extensions.to_device.next_batch;
      const waiting = client.next({ extensions: { to_device: { ...on, since } } }, 30_000);
      await sendTo(alice, bob, 1);
      expect(numbers(await waiting)).toEqual([1]);
      await sendTo(alice, bob, 2);
      const both = await client.next({ extensions: { to_device: { ...on, since } } });
      expect(numbers(both)).toEqual([1, 2]);
      const { next_batch: next } = both.extensions.to_device;
      const other = new SlidingClient(bob, 'other');
      expect(numbers(await other.next({ extensions: { to_device: { ...on, since: next } } }))).toEqual([]);
      await app.restart();
      expect(numbers(await other.next({ extensions: { to_device: on } }))).toEqual([]);
    });

    it('tells no more than asked for, and the rest after that', async () => {
      const [alice, bob] = [await person(), await person()];
      for (let n = 0; n < 5; n++) await sendTo(alice, bob, n);
      const client = new SlidingClient(bob);
      const got: number[] = [];
      let since: string | undefined;
      for (let n = 0; n < 4; n++) {
        const answer = await client.next({ extensions: { to_device: { ...on, limit: 2, since } } }, 0);
        expect(numbers(answer).length).toBeLessThanOrEqual(2);
        got.push(...numbers(answer));
        since = answer.extensions.to_device.next_batch;
      }
      expect(got).toEqual([0, 1, 2, 3, 4]);
    });

    it('passes over nothing for a token of what the log does not have, for it was put back and nobody noticed', async () => {
      const [alice, bob] = [await person(), await person()];
      const since = 'd99999999';
      const client = new SlidingClient(bob);
      const first = (await client.next({ extensions: { to_device: { ...on, since } } })).extensions.to_device;
      await sendTo(alice, bob, 1);
      expect(numbers(await client.next({ extensions: { to_device: { ...on, since: first.next_batch } } }))).toEqual([
        1,
      ]);
      const waiting = client.next({ extensions: { to_device: { ...on, since } } }, 30_000);
      await sendTo(alice, bob, 2);
      expect(numbers(await waiting)).toEqual([2]);
    });

    it('is not taken to have arrived by the place of a connection that did not ask for it', async () => {
      const [alice, bob] = [await person(), await person()];
      await sendTo(alice, bob, 7);
      const rooms = new SlidingClient(bob, 'rooms');
      for (let n = 0; n < 3; n++) await rooms.next(asking({}));
      const encryption = new SlidingClient(bob, 'encryption');
      expect(numbers(await encryption.next({ extensions: { to_device: on } }))).toEqual([7]);
      expect(numbers(await encryption.next({ extensions: { to_device: on } }))).toEqual([7]);
    });
  });

  it('e2ee tells how many keys are left, and whose devices changed', async () => {
    const { alice, bob } = await shared();
    const client = new SlidingClient(alice);
    const asked = { extensions: { e2ee: on } };
    const first = await client.next(asked);
    expect(first.extensions.e2ee).toEqual({
      device_lists: { changed: [], left: [] },
      device_one_time_keys_count: { signed_curve25519: 0 },
      device_unused_fallback_key_types: [],
    });
    const waiting = client.next(asked, 30_000);
    const device_id = await deviceOf(bob);
    const device_keys = { user_id: bob.userId, device_id, algorithms: [], keys: {}, signatures: {} };
    await bob.ok('POST', '/keys/upload', { device_keys });
    expect((await waiting).extensions.e2ee.device_lists).toEqual({ changed: [bob.userId], left: [] });
    const one_time_keys = { 'signed_curve25519:A': { key: 'k', signatures: {} } };
    const counting = client.next(asked, 30_000);
    await alice.ok('POST', '/keys/upload', { one_time_keys });
    expect((await counting).extensions.e2ee.device_one_time_keys_count).toEqual({ signed_curve25519: 1 });
  });

  it('e2ee tells what changed while it was not asked for', async () => {
    const { alice, bob } = await shared();
    const client = new SlidingClient(alice);
    await client.next({ extensions: { e2ee: on } });
    await client.next({});
    const device_keys = {
      user_id: bob.userId,
      device_id: await deviceOf(bob),
      algorithms: [],
      keys: {},
      signatures: {},
    };
    await bob.ok('POST', '/keys/upload', { device_keys });
    await client.next({});
    const { extensions } = await client.next({ extensions: { e2ee: on } });
    expect(extensions.e2ee.device_lists.changed).toEqual([bob.userId]);
  });

  it('account_data tells that of no room, and that of the rooms that are told of, all at first and then what changes', async () => {
    const { bob, room } = await shared();
    const ofUser = `/user/${bob.userId}/account_data`;
    const ofRoom = `/user/${bob.userId}${roomPath(room)}/account_data`;
    await bob.ok('PUT', `${ofUser}/a`, { n: 1 });
    await bob.ok('PUT', `${ofRoom}/b`, { n: 1 });
    const client = new SlidingClient(bob);
    const asked = asking({ account_data: on });
    const { extensions: first } = await client.next(asked);
    expect(first.account_data.global).toContainEqual({ type: 'a', content: { n: 1 } });
    expect(first.account_data.global.map(({ type }: { type: string }) => type)).toContain('m.push_rules');
    expect(first.account_data.rooms).toEqual({ [room]: [{ type: 'b', content: { n: 1 } }] });
    expect((await client.next(asked)).extensions).toEqual({});
    const waiting = client.next(asked, 30_000);
    await bob.ok('PUT', `${ofRoom}/b`, { n: 2 });
    expect((await waiting).extensions.account_data).toEqual({
      global: [],
      rooms: { [room]: [{ type: 'b', content: { n: 2 } }] },
    });
    // While the room is out of sight, and while the extension is off.
    await client.next(asking({ account_data: on }, {}));
    await bob.ok('PUT', `${ofRoom}/c`, { n: 3 });
    await client.next(asking({ account_data: on }, {}));
    await client.next(asking({}, {}));
    await bob.ok('PUT', `${ofUser}/a`, { n: 4 });
    await client.next(asking({}, {}));
    expect((await client.next(asked)).extensions.account_data).toEqual({
      global: [{ type: 'a', content: { n: 4 } }],
      rooms: { [room]: [{ type: 'c', content: { n: 3 } }] },
    });
  });

  it('receipts tells those of the rooms that are told of, and no private ones of others', async () => {
    const { alice, bob, room } = await shared();
    const event = await alice.send(room, 'one');
    await read(alice, room, event, 'm.read.private');
    await read(bob, room, event);
    const client = new SlidingClient(bob);
    const asked = asking({ receipts: on });
    const { extensions: first } = await client.next(asked);
    expect(first.receipts.rooms[room]).toEqual({
      type: 'm.receipt',
      content: { [event]: { 'm.read': { [bob.userId]: { ts: expect.any(Number) } } } },
    });
    expect((await client.next(asked)).extensions).toEqual({});
    const waiting = client.next(asked, 30_000);
    await read(alice, room, event, 'm.read', { thread_id: 'main' });
    expect(Object.keys((await waiting).extensions.receipts.rooms[room].content[event]['m.read'])).toEqual([
      alice.userId,
    ]);
    const next = await alice.send(room, 'two');
    await client.next(asking({ receipts: on }, {}));
    await read(bob, room, next);
    await client.next(asking({ receipts: on }, {}));
    expect(Object.keys((await client.next(asked)).extensions.receipts.rooms[room].content)).toEqual([next]);
  });

  it('typing tells who types, and that nobody does any more', async () => {
    const { alice, bob, room } = await shared();
    const types = (typing: boolean): Promise<unknown> =>
      alice.ok('PUT', `${roomPath(room)}/typing/${alice.userId}`, { typing, timeout: 30_000 });
    const client = new SlidingClient(bob);
    const asked = asking({ typing: on });
    const told = async (body: object, timeout = 0): Promise<string[] | undefined> =>
      (await client.next(body, timeout)).extensions.typing?.rooms[room]?.content.user_ids;
    expect(await told(asked)).toBeUndefined();
    const waiting = told(asked, 30_000);
    await types(true);
    expect(await waiting).toEqual([alice.userId]);
    expect(await told(asked)).toBeUndefined();
    await told(asking({ typing: on }, {}));
    await types(false);
    await told(asking({ typing: on }, {}));
    expect(await told(asked)).toEqual([]);
    await types(true);
    expect(await told(asked)).toEqual([alice.userId]);
    await app.restart();
    expect(await told(asked)).toEqual([]);
  });

  it('tell of the lists and subscriptions that they are asked for', async () => {
    const { alice, bob, room: listed } = await shared();
    const subscribed = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(subscribed);
    for (const room of [listed, subscribed]) await read(bob, room, await alice.send(room, 'x'));
    const roomsWith = async (scope: object): Promise<string[]> => {
      const body = {
        lists: { one: { ...LIST, ranges: [[1, 1]] }, none: { ...LIST, filters: { is_invite: true } } },
        room_subscriptions: { [subscribed]: { required_state: [], timeline_limit: 1 } },
        extensions: { receipts: { ...on, ...scope } },
      };
      const { extensions } = await new SlidingClient(bob).next(body);
      return Object.keys(extensions.receipts?.rooms ?? {}).toSorted();
    };
    expect(await roomsWith({})).toEqual([listed, subscribed].toSorted());
    expect(await roomsWith({ lists: [] })).toEqual([subscribed]);
    expect(await roomsWith({ rooms: [] })).toEqual([listed]);
    expect(await roomsWith({ lists: ['none'], rooms: ['*'] })).toEqual([subscribed]);
    expect(await roomsWith({ lists: ['one'], rooms: [listed] })).toEqual([listed]);
    expect(await roomsWith({ lists: ['*'], rooms: [subscribed] })).toEqual([listed, subscribed].toSorted());
  });

  it('tell nothing of rooms that the user is only invited to', async () => {
    const [alice, bob] = [await person(), await person()];
    const room = await alice.createRoom({ invite: [bob.userId] });
    await read(alice, room, await alice.send(room, 'hidden'));
    await alice.ok('PUT', `${roomPath(room)}/typing/${alice.userId}`, { typing: true, timeout: 30_000 });
    const { rooms, extensions } = await new SlidingClient(bob).next(asking({ receipts: on, typing: on }));
    expect(Object.keys(rooms)).toEqual([room]);
    expect(extensions).toEqual({});
  });

  it('tells who comes back into a room of what became of its account data and of who types meanwhile', async () => {
    const [alice, bob] = [await app.register('stays'), await app.register('comes-back')];
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(room);
    const client = new SlidingClient(bob);
    const wanted = asking({ account_data: { enabled: true }, typing: { enabled: true } });
    const note = (n: number): Promise<unknown> =>
      bob.ok('PUT', `/user/${bob.userId}${roomPath(room)}/account_data/com.example.note`, { n });
    for (const forgets of [false, true]) {
      await note(1);
      await bob.ok('PUT', `${roomPath(room)}/typing/${bob.userId}`, { typing: true, timeout: 30_000 });
      expect((await client.next(wanted)).extensions.typing.rooms[room].content.user_ids).toEqual([bob.userId]);
      await bob.leave(room);
      if (forgets) await bob.ok('POST', `${roomPath(room)}/forget`, {});
      await client.next(wanted);
      await note(2);
      await client.next(wanted);
      await bob.join(room);
      const { extensions } = await client.next(wanted);
      expect(extensions.account_data.rooms[room]).toEqual([{ type: 'com.example.note', content: { n: 2 } }]);
      expect(extensions.typing.rooms[room].content.user_ids).toEqual([]);
    }
  });
});
