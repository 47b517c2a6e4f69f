import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { FederatedServer, type FederatedUser } from '../test/federated-server.js';

const WAIT = { timeout: 60_000, interval: 20 };

describe('a room of three servers', { timeout: 60_000 }, () => {
  const servers: FederatedServer[] = [];
  let people: FederatedUser[];
  let roomId: string;

  beforeAll(async () => {
    for (let i = 0; i < 3; i++) servers.push(await FederatedServer.start());
    people = await Promise.all(servers.map((server, i) => server.register(`user${i}`)));
    const [alice, bob, carol] = people as [FederatedUser, FederatedUser, FederatedUser];
    ({ room_id: roomId } = await alice.ok('POST', '/createRoom', { preset: 'public_chat' }));
    await bob.ok('POST', `/join/${roomId}?via=${servers[0]!.name}`, {});
    // By a server that is not the one where the room was made.
    await carol.ok('POST', `/join/${roomId}?via=${servers[1]!.name}`, {});
  }, 60_000);
  afterAll(() => Promise.all(servers.map((server) => server.stop())));

  const said = async (user: FederatedUser): Promise<string[]> => {
    const { chunk } = await user.ok('GET', `/rooms/${roomId}/messages?dir=b&limit=50`);
    return (chunk as { type: string; content: { body: string } }[])
      .filter(({ type }) => type === 'm.room.message')
      .map(({ content }) => content.body)
      .toReversed();
  };

  it('has the same members everywhere', async () => {
    for (const user of people) {
      await vi.waitFor(async () => {
        const { joined } = await user.ok('GET', `/rooms/${roomId}/joined_members`);
        expect(Object.keys(joined as object).toSorted()).toEqual(people.map(({ userId }) => userId).toSorted());
      }, WAIT);
    }
  });

  it('shows everybody what each says', async () => {
    for (const [i, user] of people.entries())
      await user.ok('PUT', `/rooms/${roomId}/send/m.room.message/t${i}`, { msgtype: 'm.text', body: `by ${i}` });
    for (const user of people) {
      await expect.poll(async () => (await said(user)).toSorted()).toEqual(['by 0', 'by 1', 'by 2']);
    }
  });

  it('is the same again for a server that was away, and for which one is left to send when it is heard from', async () => {
    const [ours, theirs, others] = servers as [FederatedServer, FederatedServer, FederatedServer];
    const [alice, bob] = people as [FederatedUser, FederatedUser];
    await others.whileAway(() =>
      theirs.whileAway(async () => {
        // It does not remember that the others ever answered, and so leaves them alone the sooner.
        await ours.whileAway();
        for (const body of ['a', 'b', 'c'])
          await alice.ok('PUT', `/rooms/${roomId}/send/m.room.message/${body}`, { msgtype: 'm.text', body });
        const metrics = async (): Promise<string> => (await fetch(`${ours.address}/metrics`)).text();
        const asleep = /^annals_federation_destinations\{state="asleep"\} 2$/m;
        await expect.poll(metrics).toMatch(asleep);
      }),
    );
    await bob.ok('PUT', `/rooms/${roomId}/send/m.room.message/back`, { msgtype: 'm.text', body: 'back' });
    await expect.poll(async () => (await said(bob)).slice(3).toSorted()).toEqual(['a', 'b', 'back', 'c']);
    await expect.poll(() => said(alice)).toContain('back');
  });
});
