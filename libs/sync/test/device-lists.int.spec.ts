import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nameLog, noteRestored } from '#event-store/log-identity';
import { systemClock } from '#kernel/clock';
import { CryptoUser } from '#testing/crypto-user';
import { TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { queryOf, SyncApp, type SyncUser } from '#testing/sync-app';

interface Lists {
  readonly changed: string[];
  readonly left: string[];
}

const stores = { store: new MemoryEventStore(), readModels: new MemoryReadModels() };
let app: SyncApp;
let users: SyncUser[];
let number = 0;

beforeAll(async () => {
  app = await SyncApp.start(stores);
  users = [];
  for (const name of ['alice', 'bob', 'carol', 'dave']) users.push(await app.register(name));
});
afterAll(() => app.close());

const token = async (user: SyncUser): Promise<string> => (await user.sync()).next_batch;
const listsSince = async (user: SyncUser, since: string): Promise<Lists> => (await user.sync({ since })).device_lists;
const inOrder = ({ changed, left }: Lists): Lists => ({ changed: changed.toSorted(), left: left.toSorted() });

/** Changes what others see of a user's keys. */
async function changeKeys(user: SyncUser): Promise<void> {
  const { device_id: deviceId } = await user.ok('GET', '/account/whoami');
  const keys = { ...new CryptoUser(user.userId, deviceId).deviceKeys(), 'org.example.number': ++number };
  await user.ok('POST', '/keys/upload', { device_keys: keys });
}

describe('device lists', () => {
  it('tell of whom one shares a room with, and of nobody else', async () => {
    const [alice, bob, carol] = users as [SyncUser, SyncUser, SyncUser];
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(room);
    const since = await token(alice);
    expect(await listsSince(alice, since)).toEqual({ changed: [], left: [] });
    await changeKeys(carol);
    expect(await listsSince(alice, since)).toEqual({ changed: [], left: [] });
    await changeKeys(bob);
    await changeKeys(alice);
    expect(inOrder(await listsSince(alice, since))).toEqual({ changed: [alice.userId, bob.userId], left: [] });
    await carol.join(room);
    await bob.leave(room);
    expect(inOrder(await listsSince(alice, since))).toEqual({
      changed: [alice.userId, carol.userId],
      left: [bob.userId],
    });
    const next = await token(alice);
    await changeKeys(bob);
    expect(await listsSince(alice, next)).toEqual({ changed: [], left: [] });
    await alice.leave(room);
    expect(await listsSince(alice, next)).toEqual({ changed: [], left: [carol.userId] });
  });

  it('tell of who is invited, as long as they are, what becomes of their keys too, and nothing to the invited', async () => {
    const [alice, bob] = users as [SyncUser, SyncUser];
    const room = await alice.createRoom();
    const [since, ofBob] = [await token(alice), await token(bob)];
    await alice.ok('POST', `/rooms/${encodeURIComponent(room)}/invite`, { user_id: bob.userId });
    expect(await listsSince(alice, since)).toEqual({ changed: [bob.userId], left: [] });
    expect(await listsSince(bob, ofBob)).toEqual({ changed: [], left: [] });
    const next = await token(alice);
    await changeKeys(bob);
    expect(await listsSince(alice, next)).toEqual({ changed: [bob.userId], left: [] });
    const last = await token(alice);
    await bob.leave(room);
    await changeKeys(bob);
    expect(await listsSince(alice, last)).toEqual({ changed: [], left: [] });
    expect(await listsSince(bob, ofBob)).toEqual({ changed: [bob.userId], left: [] });
  });

  it('tell nothing of who left one of the rooms that are shared, and that somebody is gone with the last of them', async () => {
    const [alice, bob] = users as [SyncUser, SyncUser];
    const rooms = [
      await alice.createRoom({ preset: 'public_chat' }),
      await alice.createRoom({ preset: 'public_chat' }),
      await alice.createRoom({ preset: 'public_chat' }),
    ];
    for (const room of rooms) await bob.join(room);
    const since = await token(alice);
    await bob.leave(rooms[0]!);
    expect(await listsSince(alice, since)).toEqual({ changed: [], left: [] });
    await alice.leave(rooms[1]!);
    expect(await listsSince(alice, since)).toEqual({ changed: [], left: [] });
    expect(await listsSince(bob, since)).toEqual({ changed: [], left: [] });
    await bob.leave(rooms[2]!);
    expect(await listsSince(alice, since)).toEqual({ changed: [], left: [bob.userId] });
    expect(await listsSince(bob, since)).toEqual({ changed: [], left: [alice.userId] });
  });

  it('tell nobody who came to a room after they had left it, whatever token they have kept', async () => {
    const host = await app.register(`host${++number}`);
    const [away, early, late] = [
      await app.register(`away${number}`),
      await app.register(`early${number}`),
      await app.register(`late${number}`),
    ];
    for (const end of ['leave', 'kick', 'ban'] as const) {
      const room = await host.createRoom({ preset: 'public_chat' });
      for (const user of [early, away]) await user.join(room);
      const from = await token(away);
      if (end === 'leave') await away.leave(room);
      else await host.ok('POST', `/rooms/${encodeURIComponent(room)}/${end}`, { user_id: away.userId });
      await early.leave(room);
      await late.join(room);
      await host.leave(room);
      await host.join(room);
      const expected = { changed: [], left: [early.userId, host.userId].toSorted() };
      expect(inOrder(await listsSince(away, from)), end).toEqual(expected);
      const query = queryOf({ from, to: await token(away) });
      expect(inOrder(await away.ok('GET', `/keys/changes?${query}`)), end).toEqual(expected);
    }
  });

  it.each([
    [
      'a name of a device',
      (user: SyncUser, id: string) => user.ok('PUT', `/devices/${id}`, { display_name: `${++number}` }),
    ],
    ['a login', (user: SyncUser) => user.logIn()],
    ['a logout', async (user: SyncUser) => (await user.logIn()).ok('POST', '/logout', {})],
    [
      'cross-signing keys, and a signature of a device',
      async (user: SyncUser, id: string) => {
        const crypto = new CryptoUser(user.userId, id);
        await user.ok('POST', '/keys/upload', { device_keys: crypto.deviceKeys() });
        await user.ok('POST', '/keys/device_signing/upload', crypto.crossSigningKeys());
        const signed = crypto.selfSigning.sign(crypto.deviceKeys(), user.userId);
        await user.ok('POST', '/keys/signatures/upload', { [user.userId]: { [id]: signed } });
      },
    ],
  ])('tell of %s, at once where somebody waits', async (_, change) => {
    const alice = users[0]!;
    const erin = await app.register(`erin${++number}`);
    const { device_id: deviceId } = await erin.ok('GET', '/account/whoami');
    const room = await erin.createRoom({ preset: 'public_chat' });
    await alice.join(room);
    const [since, ofErin] = [await token(alice), await token(erin)];
    const waiting = alice.sync({ since, timeout: 60_000 });
    await change(erin, deviceId);
    expect((await waiting).device_lists).toEqual({ changed: [erin.userId], left: [] });
    expect(await listsSince(erin, ofErin)).toEqual({ changed: [erin.userId], left: [] });
    await alice.leave(room);
  });

  it('tell who signed another user of that alone, and of a user-signing key nobody else', async () => {
    const [frank, grace] = [await app.register(`frank${++number}`), await app.register(`grace${number}`)];
    const room = await frank.createRoom({ preset: 'public_chat' });
    await grace.join(room);
    const [franks, graces] = [new CryptoUser(frank.userId, 'F'), new CryptoUser(grace.userId, 'G')];
    const { user_signing_key, ...others } = franks.crossSigningKeys();
    await frank.ok('POST', '/keys/device_signing/upload', others);
    await grace.ok('POST', '/keys/device_signing/upload', graces.crossSigningKeys());
    const before = [await token(frank), await token(grace)] as const;
    await frank.ok('POST', '/keys/device_signing/upload', { user_signing_key, auth: frank.auth });
    expect(await listsSince(frank, before[0])).toEqual({ changed: [frank.userId], left: [] });
    const between = await token(frank);
    const signed = franks.userSigning.sign(graces.masterKey(), frank.userId);
    await frank.ok('POST', '/keys/signatures/upload', { [grace.userId]: { [graces.master.publicKey]: signed } });
    expect(await listsSince(frank, between)).toEqual({ changed: [grace.userId], left: [] });
    expect(await listsSince(grace, before[1])).toEqual({ changed: [], left: [] });
  });

  it('are asked for between two tokens by GET /keys/changes too', async () => {
    const [alice, bob] = users as [SyncUser, SyncUser];
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(room);
    const from = await token(alice);
    await changeKeys(bob);
    const to = await token(alice);
    await changeKeys(alice);
    const changes = (query: object): Promise<unknown> => alice.ok('GET', `/keys/changes?${queryOf(query as never)}`);
    expect(await changes({ from, to })).toEqual({ changed: [bob.userId], left: [] });
    expect(await changes({ from: to, to })).toEqual({ changed: [], left: [] });
    expect(await changes({ from: to, to: await token(bob) })).toEqual({ changed: [alice.userId], left: [] });
    for (const query of ['', `from=${from}`, `to=${to}`, `from=x&to=${to}`, `from=${from}&to=x`]) {
      expect((await alice.call('GET', `/keys/changes?${query}`)).status).toBe(400);
    }
    for (const user of [alice, bob]) await user.leave(room);
  });
});

describe('device lists where the log was put back to an earlier moment', () => {
  it('are all of them for a client that heard of what is lost: what it took for new may never have been', async () => {
    const own = await SyncApp.start();
    try {
      const { serverName, signingKey } = TEST_AUTHOR;
      const key = { key_id: signingKey.keyId, public_key: signingKey.publicKey.toString('base64') };
      await nameLog(own.store, systemClock, serverName, key);
      const [alice, bob] = [await own.register('alice'), await own.register('bob')];
      await own.register('carol');
      const room = await alice.createRoom({ preset: 'public_chat' });
      await bob.join(room);
      const agreed = await own.store.head();
      await alice.send(room, 'lost');
      const from = await token(alice);
      await noteRestored(own.store, systemClock, agreed);
      await own.restart();
      const to = await token(alice);
      const everybody = { changed: [alice.userId, bob.userId], left: [] };
      const changes = (query: object): Promise<Lists> => alice.ok('GET', `/keys/changes?${queryOf(query as never)}`);
      expect(inOrder(await listsSince(alice, from))).toEqual(everybody);
      expect(inOrder(await changes({ from, to }))).toEqual(everybody);
      expect(await changes({ from: to, to })).toEqual({ changed: [], left: [] });
    } finally {
      await own.close();
    }
  });
});

/** The obvious model: who is in which room after each step, and whose keys changed by it. */
class Model {
  readonly rooms: Set<number>[] = [new Set(), new Set(), new Set()];
  /** After each step: the room mates of each user. */
  readonly mates: Set<number>[][] = [];
  /** After each step: who is in each room. */
  readonly past: Set<number>[][] = [];
  readonly changed: (number | undefined)[] = [];
  readonly joined: (number | undefined)[] = [];

  note({ changed, joined }: { changed?: number; joined?: number }): void {
    this.changed.push(changed);
    this.joined.push(joined);
    this.past.push(this.rooms.map((room) => new Set(room)));
    this.mates.push(
      users.map(
        (_, me) => new Set(this.rooms.flatMap((room) => (room.has(me) ? [...room] : [])).filter((one) => one !== me)),
      ),
    );
  }

  get now(): number {
    return this.mates.length;
  }

  /** Checks what `me` was told of the stretch behind `since` steps. */
  check(me: number, since: number, told: Lists): void {
    const at = (step: number): Set<number> => this.mates[step - 1]?.[me] ?? new Set();
    const [before, after] = [at(since), at(this.now)];
    const stretch = <T>(all: T[]): Set<T> => new Set(all.slice(since));
    const [keys, joins] = [stretch(this.changed), stretch(this.joined)];
    const [changed, left] = [told.changed, told.left].map((ids) =>
      ids.map((id) => users.findIndex(({ userId }) => userId === id)),
    );
    // Who was in a room that the reader came to later may be said to have left: nobody knows them, and it does no harm.
    const stays = this.past.slice(Math.max(0, since - 1));
    const wereIn = (room: number): Set<number> => {
      const last = stays.findLastIndex((rooms) => rooms[room]!.has(me));
      return new Set(stays.slice(0, last + 1).flatMap((rooms) => [...rooms[room]!]));
    };
    const everMates = new Set([0, 1, 2].map(wereIn).flatMap((room) => (room.has(me) ? [...room] : [])));
    for (const one of users.keys()) {
      const isMate = one === me ? keys.has(me) : after.has(one);
      const must = isMate && (keys.has(one) || (one !== me && !before.has(one)));
      if (must) expect(changed, `${one} must be told to ${me}`).toContain(one);
      // Somebody in a room that one of the two joined may be asked for once more.
      const may = isMate && (keys.has(one) || joins.has(one) || joins.has(me));
      if (!may) expect(changed, `${one} must not be told to ${me}`).not.toContain(one);
      if (before.has(one) && !after.has(one)) expect(left, `${one} left ${me}`).toContain(one);
      if (after.has(one) || !everMates.has(one)) expect(left, `${one} did not leave ${me}`).not.toContain(one);
    }
    expect(left).not.toContain(me);
    expect(new Set([...changed!, ...left!]).size).toBe(changed!.length + left!.length);
  }
}

const who = fc.nat(3);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ join: fc.nat(2), user: who }) },
  { weight: 3, arbitrary: fc.record({ leave: fc.nat(2), user: who }) },
  { weight: 3, arbitrary: fc.record({ keys: who }) },
  { weight: 1, arbitrary: fc.record({ speak: fc.nat(2), user: who }) },
);

it('device lists are right over any gap, also of what nothing is remembered', { timeout: 300_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), fc.boolean(), async (steps, forgets) => {
      const model = new Model();
      const host = await app.register(`host${++number}`);
      const rooms: string[] = [];
      for (let i = 0; i < 3; i++) rooms.push(await host.createRoom({ preset: 'public_chat' }));
      const tokens: { step: number; of: string[] }[] = [];
      const keep = async (): Promise<void> => {
        const of = [];
        for (const user of users) of.push(await token(user));
        tokens.push({ step: model.now, of });
      };
      await keep();
      for (const one of steps) {
        if ('keys' in one) {
          await changeKeys(users[one.keys]!);
          model.note({ changed: one.keys });
        } else if ('join' in one) {
          const { join, user } = one;
          await users[user]!.join(rooms[join]!);
          model.rooms[join]!.add(user);
          model.note({ joined: user });
        } else if ('leave' in one) {
          const { leave, user } = one;
          if (model.rooms[leave]!.delete(user)) await users[user]!.leave(rooms[leave]!);
          model.note({});
        } else {
          const { speak, user } = one;
          if (model.rooms[speak]!.has(user)) await users[user]!.send(rooms[speak]!, 'hello');
          model.note({});
        }
        if (model.now % 2 === 0) await keep();
      }
      const other = forgets ? await SyncApp.start(stores) : undefined;
      try {
        for (const { step: since, of } of tokens) {
          for (const [me, user] of users.entries()) {
            const { changed, left } = await listsSince(other === undefined ? user : user.on(other), of[me]!);
            const isOurs = (id: string): boolean => id !== host.userId;
            model.check(me, since, { changed: changed.filter(isOurs), left: left.filter(isOurs) });
          }
        }
      } finally {
        await other?.close();
        for (const [me, user] of users.entries()) {
          for (const [room, members] of model.rooms.entries()) if (members.has(me)) await user.leave(rooms[room]!);
        }
      }
    }),
    { numRuns: 12 },
  );
});
