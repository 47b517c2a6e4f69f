import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { Member } from './support/federation/member.js';

const STARTS = 120_000;
const WITHIN = 60_000;

let authority: TestAuthority;
let here: FederatingAnnals;
let there: FederatingAnnals;
beforeAll(async () => {
  authority = new TestAuthority();
  here = await FederatingAnnals.begin(authority);
  there = await FederatingAnnals.begin(authority);
}, STARTS);
afterAll(async () => {
  await here?.remove();
  await there?.remove();
});

afterEach(() => {
  here.line.mend();
  there.line.mend();
});

let count = 0;
/** Alice here, Bob there, who do not know of each other. */
async function twoMembers(): Promise<[Member, Member]> {
  const n = count++;
  return [await Member.at(here, `alice${n}`), await Member.at(there, `bob${n}`)];
}

let transactions = 0;
async function sendTo(from: Member, to: Member, n: number, device = '*', filling = ''): Promise<void> {
  const messages = { [to.id]: { [device]: { n, filling } } };
  await from.ok('PUT', `/sendToDevice/m.test/t${transactions++}`, { messages });
}

describe('messages to devices of another server', () => {
  it(
    'come once each, in the order of their sender, also the long ones, and from whoever shares no room',
    async () => {
      const [alice, bob] = await twoMembers();
      const numbers = Array.from({ length: 12 }, (_, n) => n);
      for (const n of numbers) await sendTo(alice, bob, n, '*', 'x'.repeat((n % 3) * 20_000));
      const told = () => bob.followed.toDevice.map(({ content }) => content.n);
      await bob.followed.until('all messages', () => told().length >= numbers.length);
      expect(told()).toEqual(numbers);
      expect(bob.followed.toDevice[0]).toMatchObject({ type: 'm.test', sender: alice.id });
    },
    WITHIN,
  );

  it(
    'wait while the server cannot be reached, over a restart of ours, and come then, once and in order',
    async () => {
      const [alice, bob] = await twoMembers();
      await sendTo(alice, bob, 0);
      const told = () => bob.followed.toDevice.map(({ content }) => content.n);
      await bob.followed.until('the first', () => told().length > 0);
      there.line.cut();
      for (const n of [1, 2, 3]) await sendTo(alice, bob, n);
      await here.end('SIGKILL');
      await here.start();
      await sendTo(alice, bob, 4);
      there.line.mend();
      // It is there again as soon as it says anything.
      await sendTo(bob, alice, 0);
      await bob.followed.until('all messages', () => told().length >= 5);
      expect(told()).toEqual([0, 1, 2, 3, 4]);
    },
    WITHIN,
  );
});

/** Keys of a device as a client uploads them; nobody here checks what they sign. */
function deviceKeys(userId: string, deviceId: string, key: string): object {
  return {
    user_id: userId,
    device_id: deviceId,
    algorithms: ['m.olm.v1.curve25519-aes-sha2'],
    keys: { [`ed25519:${deviceId}`]: key, [`curve25519:${deviceId}`]: key },
    signatures: { [userId]: { [`ed25519:${deviceId}`]: 'signature' } },
  };
}

async function upload(member: Member, key: string): Promise<string> {
  const { device_id: deviceId } = await member.ok('GET', '/account/whoami');
  const oneTimeKeys = { 'signed_curve25519:A': { key: 'a', signatures: {} }, 'signed_curve25519:B': { key: 'b', signatures: {} } }; // prettier-ignore
  await member.ok('POST', '/keys/upload', {
    device_keys: deviceKeys(member.id, deviceId, key),
    one_time_keys: oneTimeKeys,
  });
  return deviceId;
}

async function keysOf(asking: Member, of: Member): Promise<Record<string, string>> {
  const { device_keys: users, failures } = await asking.ok('POST', '/keys/query', { device_keys: { [of.id]: [] } });
  expect(failures).toEqual({});
  const devices = Object.entries<{ keys: Record<string, string> }>(users[of.id] ?? {});
  return Object.fromEntries(devices.map(([deviceId, { keys }]) => [deviceId, keys[`ed25519:${deviceId}`]!]));
}

describe('devices of another server', () => {
  it(
    'are told of whom a user shares no room with, and of whom they do as they change',
    async () => {
      const [alice, bob] = await twoMembers();
      const first = await upload(alice, 'one');
      expect(await keysOf(bob, alice)).toEqual({ [first]: 'one' });
      const room = await bob.create('11');
      await alice.join(room, bob);
      await bob.followed.untilIn(room, 'join');
      await upload(alice, 'two');
      await expect.poll(() => keysOf(bob, alice)).toEqual({ [first]: 'two' });

      // Told from here on, and not asked for: the lists of those who share a room are here.
      await bob.followed.until('the change', ({ devicesChanged }) => devicesChanged.includes(alice.id));
      const known = bob.followed.devicesChanged.length;
      await upload(alice, 'three');
      await bob.followed.until('the next', ({ devicesChanged }) => devicesChanged.slice(known).includes(alice.id));
      // What comes first may be of the keys before.
      await expect.poll(() => keysOf(bob, alice)).toEqual({ [first]: 'three' });
      const before = bob.followed.devicesChanged.length;
      await alice.ok('PUT', `/devices/${first}`, { display_name: 'another name' });
      await bob.followed.until('that', ({ devicesChanged }) => devicesChanged.slice(before).includes(alice.id));
      there.line.cut();
      here.line.cut();
      expect(await keysOf(bob, alice)).toEqual({ [first]: 'three' });
    },
    WITHIN,
  );

  it(
    'are told of to a server that comes back to a room: what became of them in between, and from then on',
    async () => {
      const [alice, bob] = await twoMembers();
      const room = await alice.create('11');
      await bob.join(room, alice);
      const device = await upload(alice, 'one');
      await expect.poll(() => keysOf(bob, alice)).toEqual({ [device]: 'one' });
      await bob.leave(room);
      const members = async (): Promise<object> => (await alice.ok('GET', `/rooms/${room}/joined_members`)).joined;
      await expect.poll(members).not.toHaveProperty([bob.id]);
      await upload(alice, 'two');
      await bob.join(room, alice);
      expect(await keysOf(bob, alice)).toEqual({ [device]: 'two' });
      await upload(alice, 'three');
      await expect.poll(() => keysOf(bob, alice)).toEqual({ [device]: 'three' });
    },
    WITHIN,
  );

  it(
    'are told of again after an outage, in which one went and another came',
    async () => {
      const [alice, bob] = await twoMembers();
      await upload(alice, 'one');
      const room = await bob.create('11');
      await alice.join(room, bob);
      await bob.followed.untilIn(room, 'join');
      await keysOf(bob, alice);
      there.line.cut();
      await upload(alice, 'two');
      const late = await alice.say(room, 'to wake the others');
      there.line.mend();
      await bob.say(room, 'are you there?');
      await bob.followed.untilTold(room, late);
      await expect.poll(async () => Object.values(await keysOf(bob, alice))).toEqual(['two']);
    },
    WITHIN,
  );

  it(
    'give each of their one-time keys once, also to users of several servers',
    async () => {
      const [alice, bob] = await twoMembers();
      const device = await upload(alice, 'one');
      const claim = { one_time_keys: { [alice.id]: { [device]: 'signed_curve25519' } } };
      const claimed = async (member: Member): Promise<string[]> => {
        const { one_time_keys: users, failures } = await member.ok('POST', '/keys/claim', claim);
        expect(failures).toEqual({});
        return Object.keys(users[alice.id]?.[device] ?? {});
      };
      const keys = (await Promise.all([claimed(bob), claimed(alice), claimed(bob)])).flat();
      expect(keys.toSorted()).toEqual(['signed_curve25519:A', 'signed_curve25519:B']);
      here.line.cut();
      const { failures } = await bob.ok('POST', '/keys/claim', { ...claim, timeout: 2_000 });
      expect(Object.keys(failures)).toEqual([here.name]);
    },
    WITHIN,
  );
});

describe('what is not worth the log', () => {
  it(
    'is told to the servers in the room: who types, and what was read, but for what was read in private',
    async () => {
      const [alice, bob] = await twoMembers();
      const room = await bob.create('11');
      await alice.join(room, bob);
      await bob.followed.untilIn(room, 'join');
      const said = await bob.say(room, 'hello');
      await alice.followed.untilTold(room, said);
      const typing = () => bob.followed.room(room).ephemeral.filter(({ type }) => type === 'm.typing');
      const typists = (): string[] => typing().at(-1)?.content.user_ids ?? [];
      const path = `/rooms/${encodeURIComponent(room)}`;
      await alice.ok('PUT', `${path}/typing/${encodeURIComponent(alice.id)}`, { typing: true, timeout: 20_000 });
      await bob.followed.until('that Alice types', () => typists().includes(alice.id));
      await alice.ok('PUT', `${path}/typing/${encodeURIComponent(alice.id)}`, { typing: false });
      await bob.followed.until('that she does not', () => typing().length > 0 && typists().length === 0);

      const event = encodeURIComponent(said);
      await alice.ok('POST', `${path}/receipt/m.read.private/${event}`, {});
      await alice.ok('POST', `${path}/receipt/m.read/${event}`, { thread_id: 'main' });
      await alice.ok('POST', `${path}/receipt/m.read/${event}`, {});
      const receipts = () => bob.followed.room(room).ephemeral.filter(({ type }) => type === 'm.receipt');
      const told = (): Record<string, Record<string, { thread_id?: string }>>[] =>
        receipts().flatMap(({ content }) => (content[said] === undefined ? [] : [content[said]]));
      const threads = (): (string | undefined)[] => told().flatMap((types) => Object.values(types['m.read'] ?? {}).map(({ thread_id: thread }) => thread)); // prettier-ignore
      await bob.followed.until('both receipts', () => threads().includes('main') && threads().includes(undefined));
      expect(told().flatMap((types) => Object.keys(types))).not.toContain('m.read.private');
    },
    WITHIN,
  );

  it(
    'is told to the servers of those who share a room: who is there, and what they say of it',
    async () => {
      const [alice, bob] = await twoMembers();
      const room = await bob.create('11');
      await alice.join(room, bob);
      await bob.followed.untilIn(room, 'join');
      const status = `/presence/${encodeURIComponent(alice.id)}/status`;
      await alice.ok('PUT', status, { presence: 'online', status_msg: 'in a meeting' });
      const told = () => bob.followed.presence.filter(({ sender }) => sender === alice.id);
      const isTold = (presence: string) => told().some(({ content }) => content.presence === presence && content.status_msg === 'in a meeting'); // prettier-ignore
      await bob.followed.until('that Alice is there', () => isTold('online'));
      expect(await bob.ok('GET', status)).toMatchObject({ presence: 'online', status_msg: 'in a meeting' });
      await alice.ok('PUT', status, { presence: 'unavailable', status_msg: 'in a meeting' });
      await bob.followed.until('that she is not', () => isTold('unavailable'));
    },
    WITHIN,
  );
});
