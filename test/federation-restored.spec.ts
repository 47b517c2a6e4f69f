import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { annals } from './support/annals.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { awaitSameState, Member } from './support/federation/member.js';
import { WITHOUT_PRESENCE } from './support/homeserver.js';
import { describeEmbedded } from './support/stores.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 });

const SOON = { timeout: 60_000, interval: 50 };

/** The devices of somebody whose keys another is told. */
async function devicesOf(reader: Member, { id }: Member): Promise<string[]> {
  const { device_keys: keys } = await reader.ok('POST', '/keys/query', { device_keys: { [id]: [] } });
  return Object.keys(keys[id] ?? {}).toSorted();
}

const idsOf = (...members: readonly Member[]): string[] => members.map(({ deviceId }) => deviceId).toSorted();

describeEmbedded('a server that is put back to a backup, while others go on', 'a server has a way of its own', () => {
  const authority = new TestAuthority();
  const directory = mkdtempSync(join(tmpdir(), 'annals-restored-'));
  const backup = join(directory, 'backup');
  let ours: FederatingAnnals;
  let theirs: FederatingAnnals;
  let alice: Member;
  let carol: Member;
  let dave: Member;
  let bob: Member;
  let laterOfBob: Member;
  /** The rooms of Alice and Bob, of Bob that Carol joins later, of Bob that Dave is put out of later, and one that is made later. */
  let [shared, joined, left, made] = ['', '', '', ''];
  /** Of what the backup has not. */
  const lost: string[] = [];

  beforeAll(async () => {
    ours = await FederatingAnnals.begin(authority, WITHOUT_PRESENCE);
    theirs = await FederatingAnnals.begin(authority, WITHOUT_PRESENCE, '127.0.0.1');
    alice = await Member.at(ours, 'alice');
    carol = await Member.at(ours, 'carol');
    dave = await Member.at(ours, 'dave');
    bob = await Member.at(theirs, 'bob');
    shared = await alice.create('11');
    await bob.join(shared, alice);
    joined = await bob.create('11');
    left = await bob.create('10');
    await dave.join(left, bob);
    // Who looks for the first time after they were put out is not told of it.
    await dave.followed.untilIn(left, 'join');
    for (const member of [alice, bob]) await member.uploadKeys();
    await vi.waitUntil(async () => (await devicesOf(alice, bob)).length === 1, SOON);
    await vi.waitUntil(async () => (await devicesOf(bob, alice)).length === 1, SOON);
    await count(0);
    expect(await annals(ours, 'backup', backup)).toMatchObject({ code: 0 });
    await goOn();
    await ours.end('SIGKILL');
    expect(await annals(ours, 'restore', backup, '--replace')).toMatchObject({ code: 0 });
    await ours.start();
  });
  afterAll(async () => {
    await ours.remove();
    await theirs.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Sends a message to devices each way, and waits for it. */
  async function count(i: number): Promise<void> {
    for (const [from, to] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      await from.toDevice(to, 'org.example.count', { i });
      await to.followed.until(`number ${i}`, ({ toDevice }) => toDevice.at(-1)?.content.i === i);
    }
  }

  async function goOn(): Promise<void> {
    lost.push(await alice.say(shared, 'of Alice'));
    const topic = await alice.setState(shared, 'm.room.topic', { topic: 'of Alice' });
    await bob.followed.untilTold(shared, topic);
    lost.push(await bob.say(shared, 'of Bob'));
    await alice.followed.untilTold(shared, lost.at(-1)!);
    laterOfBob = await bob.anotherDevice('later');
    await laterOfBob.uploadKeys();
    await (await alice.anotherDevice('later')).uploadKeys();
    await vi.waitUntil(async () => (await devicesOf(alice, bob)).length === 2, SOON);
    await vi.waitUntil(async () => (await devicesOf(bob, alice)).length === 2, SOON);
    made = await alice.create('11');
    await bob.join(made, alice);
    await carol.join(joined, bob);
    await bob.kick(left, dave);
    await dave.followed.untilIn(left, 'leave');
    await count(1);
  }

  it('asks for the devices of their users, of which it was told in what is lost', async () => {
    await expect.poll(() => devicesOf(alice, bob), SOON).toEqual(idsOf(bob, laterOfBob));
  });

  it('has its own known as they are now, those that are lost no more', async () => {
    await expect.poll(() => devicesOf(bob, alice), SOON).toEqual(idsOf(alice));
    const newOfAlice = await alice.anotherDevice('new');
    await newOfAlice.uploadKeys();
    await expect.poll(() => devicesOf(bob, alice), SOON).toEqual(idsOf(alice, newOfAlice));
  });

  it('gets back what is lost of a room, also what was its own, with the next that is said there', async () => {
    const said = [await alice.say(shared, 'Alice again')];
    await bob.followed.untilTold(shared, said[0]!);
    said.push(await bob.say(shared, 'Bob again'));
    await alice.followed.untilTold(shared, said[1]!);
    await awaitSameState(shared, alice, bob);
    expect(await alice.stateOf(shared, 'm.room.topic')).toEqual({ topic: 'of Alice' });
    for (const member of [alice, bob]) {
      expect((await member.messages(shared)).toSorted()).toEqual([...lost, ...said].toSorted());
    }
  });

  it('sends messages to devices, and takes them, as before', async () => {
    await count(2);
    for (const { followed } of [alice, bob])
      expect(followed.toDevice.map(({ content }) => content.i)).toEqual([0, 1, 2]);
  });

  it('lets a user in again who had joined a room in what is lost, or made it', async () => {
    const said = await bob.say(joined, 'while Carol was away');
    await carol.join(joined, bob);
    await awaitSameState(joined, bob, carol);
    expect(await carol.messages(joined)).toContain(said);
    await alice.join(made, bob);
    await awaitSameState(made, bob, alice);
    await alice.followed.untilTold(made, await bob.say(made, 'as before'));
  });

  it('lets a user in again who was put out in what is lost, once they have left', async () => {
    await dave.leave(left);
    await dave.join(left, bob);
    await awaitSameState(left, bob, dave);
    expect(await bob.stateOf(left, 'm.room.member', dave.id)).toMatchObject({ membership: 'join' });
  });

  it('has a log that verifies', async () => {
    await ours.end();
    expect(await annals(ours, 'verify')).toMatchObject({ code: 0 });
  });
});
