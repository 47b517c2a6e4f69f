import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PeerRefused } from '#kernel/peer-errors';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { BOB } from '#testing/local-room';
import { B, C, D, newWorld, SendingServer, type World } from '../../test/sending-server.js';

let world: World;
const servers: SendingServer[] = [];

async function start(): Promise<SendingServer> {
  const server = await SendingServer.start(world);
  servers.push(server);
  return server;
}

beforeEach(() => {
  world = newWorld();
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const bodies = (server: string) => world.peers.bodiesAt(server);
/** Waits until a server has accepted as many events. */
const until = (check: () => void) => vi.waitFor(check, { timeout: 60_000, interval: 2 });
/** Waits until nothing is left to be done of any fact. */
async function idle({ runtime }: SendingServer): Promise<void> {
  await runtime.whenProcessed(await world.log.head());
  await until(() => expect(runtime.effects.list()[0]!.waiting).toBe(0));
}

describe('an event of this server', () => {
  it('is sent to every server in the room, once and in order, and to no other', async () => {
    const server = await start();
    const room = await server.room('r', '@b:b.example', '@c:c.example');
    await server.room('s', '@d:d.example');
    for (const body of ['1', '2', '3']) await room.say(body);
    await until(() => {
      expect(bodies(B)).toEqual(['m.room.member', '1', '2', '3']);
      expect(bodies(C)).toEqual(['1', '2', '3']);
    });
    expect(bodies(D)).toEqual([]);
    expect(world.peers.mostUnderWay).toBe(1);
    expect(server.notesOf(B)).toEqual([]);
  });

  it('is sent to nobody where nobody else is in the room', async () => {
    const server = await start();
    const room = await server.room('r', BOB);
    await room.say('1');
    await idle(server);
    expect(world.peers.tries).toEqual([]);
  });

  it('waits for what is under way, and goes with the others that wait, fifty at most', async () => {
    const server = await start();
    const room = await server.room('r', '@b:b.example');
    let go: () => void = () => {};
    world.peers.before = () => new Promise<void>((resolve) => (go = resolve));
    await room.say('first');
    await until(() => expect(world.peers.tries).toHaveLength(1));
    for (let i = 0; i < 60; i++) await room.say(`${i}`);
    await until(() => expect(server.destinations.describe(B).waiting).toBe(61));
    world.peers.before = () => {};
    go();
    await until(() => expect(bodies(B)).toHaveLength(61));
    expect(world.peers.accepted.map(({ pdus }) => pdus.length)).toEqual([1, 50, 10]);
    expect(bodies(B).slice(1)).toEqual(Array.from({ length: 60 }, (_, i) => `${i}`));
  });

  it('is written once for all who get it, and signed as it was in the log', async () => {
    const server = await start();
    const room = await server.room('r', '@b:b.example', '@c:c.example', '@d:d.example');
    await idle(server);
    world.peers.tries.length = 0;
    const { pdu } = await room.say('1');
    await until(() => expect(world.peers.tries).toHaveLength(3));
    expect(new Set(world.peers.tries.map(({ text }) => text)).size).toBe(1);
    expect(new Set(world.peers.tries.map(({ id }) => id)).size).toBe(3);
    expect(world.peers.tries[0]!.pdus).toEqual([pdu]);
  });

  it('that puts the last user of a server out is sent to that server, and nothing after it', async () => {
    const server = await start();
    const room = await server.room('r', '@b:b.example', '@c:c.example');
    await room.setMembership('@b:b.example' as never, 'ban', '@alice:a.example' as never);
    await room.say('after');
    await until(() => expect(bodies(C)).toEqual(['m.room.member', 'after']));
    await idle(server);
    expect(bodies(B)).toEqual(['m.room.member', 'm.room.member']);
  });

  it('that takes an invitation back is sent to the server of who was invited', async () => {
    const server = await start();
    const room = await server.room('r');
    await room.setMembership('@d:d.example' as never, 'invite', '@alice:a.example' as never);
    await room.setMembership('@d:d.example' as never, 'leave', '@alice:a.example' as never);
    await until(() => expect(bodies(D)).toEqual(['m.room.member']));
    await room.setMembership('@d:d.example' as never, 'ban', '@alice:a.example' as never);
    await room.say('after');
    await idle(server);
    expect(bodies(D)).toEqual(['m.room.member']);
  });

  it('that invites somebody who knocked, or was invited, is not sent to their server: it has that from the handshake', async () => {
    const server = await start();
    const room = await server.room('r');
    await room.setState('m.room.join_rules', { join_rule: 'knock' });
    await room.setMembership('@d:d.example' as never, 'knock');
    for (let i = 0; i < 2; i++) {
      await room.setState('m.room.topic', { topic: `${i}` });
      await room.setMembership('@d:d.example' as never, 'invite', '@alice:a.example' as never);
    }
    await idle(server);
    expect(bodies(D)).toEqual([]);
    await room.setMembership('@d:d.example' as never, 'leave', '@alice:a.example' as never);
    await until(() => expect(bodies(D)).toEqual(['m.room.member']));
  });
});

describe('a server that cannot be reached', () => {
  it('is sent the same transaction again, and then what came meanwhile', async () => {
    const server = await start();
    const room = await server.room('r', '@b:b.example');
    await room.say('0');
    await until(() => expect(bodies(B)).toEqual(['0']));
    world.peers.dead.add(B);
    await room.say('1');
    await until(() => expect(world.peers.tries.length).toBeGreaterThan(2));
    world.peers.dead.delete(B);
    await until(() => expect(bodies(B)).toEqual(['0', '1']));
    const [, first, ...again] = world.peers.tries;
    for (const { id, text } of again) expect([id, text]).toEqual([first!.id, first!.text]);
    await until(() => expect(server.notesOf(B)).toEqual(['destination-caught-up']));
  });

  it('holds up no other, is noted once, and is not tried again for every event', async () => {
    const server = await start();
    world.peers.dead.add(B);
    const room = await server.room('r', '@b:b.example', '@c:c.example');
    await room.say('1');
    await until(() => expect(server.destinations.describe(B).retryAt).toBeGreaterThan(Date.now()));
    const tries = world.peers.tries.length;
    for (const body of ['2', '3', '4']) await room.say(body);
    await until(() => expect(bodies(C)).toEqual(['1', '2', '3', '4']));
    await idle(server);
    expect(world.peers.tries.filter((one) => one.server === B).length).toBe(
      world.peers.tries.slice(0, tries).filter((one) => one.server === B).length,
    );
    expect(server.notesOf(B)).toEqual(['destination-behind']);
    expect(server.destinations.numbers).toMatchObject({ active: 0, asleep: 1 });
  });

  it('gets the newest event of each room once it is heard from, and then everything again', async () => {
    const server = await start();
    const rooms = [await server.room('r', '@b:b.example'), await server.room('s', '@b:b.example')];
    const quiet = await server.room('t', '@b:b.example');
    await quiet.say('quiet');
    await until(() => expect(bodies(B)).toEqual(['quiet']));
    world.peers.dead.add(B);
    for (let i = 0; i < 5; i++) for (const room of rooms) await room.say(`${room.roomId} ${i}`);
    await until(() => expect(server.destinations.numbers.asleep).toBe(1));
    await idle(server);
    world.peers.dead.delete(B);
    world.ahead += 6_000;
    world.peers.wake(B);
    const newest = rooms.map(({ roomId }) => `${roomId} 4`);
    await until(() => expect(bodies(B).slice(1).toSorted()).toEqual(newest.toSorted()));
    await until(() => expect(server.notesOf(B)).toEqual(['destination-caught-up']));
    await quiet.say('again');
    await until(() => expect(bodies(B).at(-1)).toBe('again'));
    expect(world.peers.mostUnderWay).toBe(1);
  });

  it('hears, when it is back, of the end of what its users were in', async () => {
    const server = await start();
    const room = await server.room('r', '@b:b.example');
    world.peers.dead.add(B);
    await room.say('1');
    await room.setMembership('@b:b.example' as never, 'leave', '@alice:a.example' as never);
    await room.say('2');
    await until(() => expect(server.destinations.numbers.asleep).toBe(1));
    world.peers.dead.delete(B);
    world.ahead += 6_000;
    world.peers.wake(B);
    await until(() => expect(server.notesOf(B)).toEqual(['destination-caught-up']));
    expect(bodies(B)).toEqual(['m.room.member']);
  });

  it('hears, when it is back, that an invitation of a user of it was taken back, and of no other', async () => {
    const server = await start();
    const room = await server.room('r');
    const [erin, dave] = ['@erin:d.example' as never, '@dave:d.example' as never];
    for (const user of [erin, dave]) await room.setMembership(user, 'invite', '@alice:a.example' as never);
    world.peers.dead.add(D);
    await room.setMembership(dave, 'leave', '@alice:a.example' as never);
    await until(() => expect(server.destinations.numbers.asleep).toBe(1));
    await room.setMembership(erin, 'ban', '@alice:a.example' as never);
    await room.setMembership('@frank:d.example' as never, 'ban', '@alice:a.example' as never);
    await idle(server);
    world.peers.dead.delete(D);
    world.ahead += 6_000;
    world.peers.wake(D);
    await until(() => expect(server.notesOf(D)).toEqual(['destination-caught-up']));
    const told = world.peers.accepted.flatMap(({ pdus }) => pdus).map(({ state_key: user }) => user);
    expect(told).toEqual([dave, erin]);
  });

  it('is left alone over a restart until its time has come', async () => {
    const first = await start();
    world.peers.dead.add(B);
    const room = await first.room('r', '@b:b.example');
    await room.say('1');
    await until(() => expect(first.destinations.numbers.asleep).toBe(1));
    await first.stop();
    const tries = world.peers.tries.length;
    const second = await start();
    expect(second.destinations.numbers.asleep).toBe(1);
    await second.stop();
    expect(world.peers.tries).toHaveLength(tries);
    world.peers.dead.delete(B);
    world.ahead += 60_000;
    await start();
    await until(() => expect(bodies(B)).toEqual(['1']));
  });

  it('is not left alone for ever where it was noted by a clock that was put back since', async () => {
    world.ahead = 365 * 24 * 3_600_000;
    const first = await start();
    world.peers.dead.add(B);
    const room = await first.room('r', '@b:b.example');
    await room.say('1');
    await until(() => expect(first.destinations.numbers.asleep).toBe(1));
    await first.stop();
    world.ahead = 0;
    world.peers.dead.delete(B);
    await start();
    await until(() => expect(bodies(B)).toEqual(['1']));
  });

  it('is left alone for longer each time', async () => {
    const server = await start();
    world.peers.dead.add(B);
    await (await server.room('r', '@b:b.example')).say('1');
    await until(() => expect(server.destinations.numbers.asleep).toBe(1));
    const pauses: number[] = [];
    for (let i = 0; i < 3; i++) {
      world.ahead += 3_000 * 2 ** i;
      world.peers.wake(B);
      expect(server.destinations.numbers).toMatchObject({ asleep: 1, active: 0 });
      world.ahead += 3_000 * 2 ** i;
      const tries = world.peers.tries.length;
      world.peers.wake(B);
      await until(() => expect(world.peers.tries.length).toBe(tries + 1));
      await until(() => expect(server.destinations.numbers).toMatchObject({ asleep: 1, active: 0 }));
      pauses.push(server.destinations.describe(B).retryAt! - (Date.now() + world.ahead));
    }
    expect(pauses[2]).toBeGreaterThan(pauses[0]! * 2);
    expect(server.notesOf(B)).toEqual(['destination-behind']);
  });
});

describe('while the views are away', () => {
  it('nothing is sent twice, or ahead of what was before it, and then everything', async () => {
    const server = await start();
    const room = await server.room('r', '@b:b.example', '@c:c.example');
    await idle(server);
    const before = server.servers.before.bind(server.servers);
    let reads = 0;
    server.servers.before = async (roomId, position) => {
      if (++reads === 2 || reads === 4) throw new ViewsUnavailable('gone');
      return before(roomId, position);
    };
    for (let i = 1; i < 6; i++) await room.say(`${i}`);
    await idle(server);
    expect(reads).toBeGreaterThan(5);
    for (const peer of [B, C]) expect(bodies(peer).slice(-5)).toEqual(['1', '2', '3', '4', '5']);
    expect(new Set(bodies(C)).size).toBe(bodies(C).length);
  });

  it('what was read of rows that somebody threw away does not count', async () => {
    const server = await start();
    const room = await server.room('r', '@b:b.example');
    await idle(server);
    const before = server.servers.before.bind(server.servers);
    let areGone = true;
    server.servers.before = async (roomId, position) => (areGone ? new Set() : before(roomId, position));
    const confirm = server.runtime.confirm.bind(server.runtime);
    let confirms = 0;
    server.runtime.confirm = async () => {
      if (++confirms > 3) areGone = false;
      if (confirms <= 4) throw new ViewsUnavailable('made anew');
      return confirm();
    };
    await room.say('1');
    await room.say('2');
    await idle(server);
    expect(bodies(B)).toEqual(['1', '2']);
  });

  it('what was given is not given again because they went away since', async () => {
    const server = await start();
    const room = await server.room('r', '@b:b.example');
    await idle(server);
    const confirm = server.runtime.confirm.bind(server.runtime);
    let confirms = 0;
    server.runtime.confirm = async () => {
      if (++confirms === 2) throw new ViewsUnavailable('made anew');
      return confirm();
    };
    await room.say('1');
    await idle(server);
    await room.say('2');
    await idle(server);
    expect(bodies(B)).toEqual(['1', '2']);
  });
});

describe('a server that refuses', () => {
  it('a transaction for good does not get it, and gets what comes after', async () => {
    const server = await start();
    const room = await server.room('r', '@b:b.example');
    world.peers.before = ({ text }) => {
      if (text.includes('poison')) throw new PeerRefused(400, { errcode: 'M_BAD_JSON' });
    };
    await room.say('poison');
    await idle(server);
    await room.say('1');
    await until(() => expect(bodies(B)).toEqual(['1']));
    expect(world.peers.tries).toHaveLength(2);
    expect(server.notesOf(B)).toEqual([]);
    expect(server.destinations.numbers).toMatchObject({ refused: 1, accepted: 1, failed: 0 });
  });

  it('a transaction for a moment gets it after that, and is not asked before', async () => {
    const server = await start();
    const room = await server.room('r', '@b:b.example');
    const at: number[] = [];
    world.peers.before = () => {
      if (at.push(performance.now()) < 3) throw new PeerRefused(429, { errcode: 'M_LIMIT_EXCEEDED' }, 50);
    };
    await room.say('1');
    await until(() => expect(bodies(B)).toEqual(['1']));
    expect(Math.min(at[1]! - at[0]!, at[2]! - at[1]!)).toBeGreaterThan(48);
    expect(server.destinations.numbers.asleep).toBe(0);
  });

  it('everything for a while is left alone for as long as it asks', async () => {
    const server = await start();
    const room = await server.room('r', '@b:b.example');
    world.peers.before = () => {
      throw new PeerRefused(429, { errcode: 'M_LIMIT_EXCEEDED' }, 30 * 60_000);
    };
    await room.say('1');
    await until(() => expect(server.destinations.numbers.asleep).toBe(1));
    world.peers.before = () => {};
    world.ahead += 20 * 60_000;
    world.peers.wake(B);
    expect(server.destinations.numbers).toMatchObject({ asleep: 1, active: 0 });
    world.ahead += 11 * 60_000;
    await until(() => expect(bodies(B)).toEqual(['1']));
    expect(world.peers.tries).toHaveLength(2);
  });

  it('everything for now is left alone, and gets what it lacks later', async () => {
    const server = await start();
    const room = await server.room('r', '@b:b.example');
    world.peers.before = () => {
      throw new PeerRefused(403, { errcode: 'M_FORBIDDEN' });
    };
    await room.say('1');
    await until(() => expect(server.destinations.numbers.asleep).toBe(1));
    world.peers.before = () => {};
    world.ahead += 60_000;
    await until(() => expect(bodies(B)).toEqual(['1']));
  });

  it('what it lacks once more lacks all of it still', async () => {
    const server = await start();
    const rooms = [];
    for (let i = 0; i < 60; i++) rooms.push(await server.room(`r${i}`, '@b:b.example'));
    world.peers.dead.add(B);
    for (const [i, room] of rooms.entries()) await room.say(`${i}`);
    await until(() => expect(server.destinations.numbers.asleep).toBe(1));
    await idle(server);
    world.peers.dead.delete(B);
    let count = 0;
    world.peers.before = () => {
      if (++count > 1) throw new PeerRefused(502, {});
    };
    world.ahead += 6_000;
    world.peers.wake(B);
    await until(() => expect(server.destinations.numbers).toMatchObject({ asleep: 1, active: 0 }));
    expect(world.peers.accepted.map(({ pdus }) => pdus.length)).toEqual([50]);
    world.peers.before = () => {};
    world.ahead += 11_000;
    world.peers.wake(B);
    await until(() => expect(server.notesOf(B)).toEqual(['destination-caught-up']));
    const all = new Set(rooms.map((_, i) => `${i}`));
    expect(new Set(bodies(B))).toEqual(all);
  });
});

describe('a restart', () => {
  it('sends again what was under way, and nothing that was delivered before a clean end', async () => {
    const first = await start();
    const room = await first.room('r', '@b:b.example');
    await room.say('1');
    await until(() => expect(bodies(B)).toEqual(['1']));
    await idle(first);
    world.peers.before = () => new Promise<void>(() => {});
    await room.say('2');
    await until(() => expect(world.peers.tries).toHaveLength(2));
    await first.stop();
    world.peers.before = () => {};
    await start();
    await until(() => expect(bodies(B)).toEqual(['1', '2']));
  });
});

describe('a crash', () => {
  it('loses nothing: what was not noted to be done is sent again, and who was left alone still is', async () => {
    const first = await start();
    world.peers.dead.add(C);
    const room = await first.room('r', '@b:b.example', '@c:c.example');
    await room.say('1');
    await until(() => expect(first.destinations.numbers.asleep).toBe(1));
    await idle(first);
    const append = world.log.append.bind(world.log);
    world.log.append = () => new Promise(() => {});
    await first.stop();
    world.log.append = append;
    const tries = world.peers.tries.filter((one) => one.server === C).length;
    const second = await start();
    await idle(second);
    await until(() => expect(bodies(B)).toEqual(['m.room.member', '1', 'm.room.member', '1']));
    expect(world.peers.tries.filter((one) => one.server === C)).toHaveLength(tries);
  });
});

describe('a server that is slow', () => {
  it('is noted to be behind, so that nobody waits for it, and gets all that waits', async () => {
    const server = await start();
    const room = await server.room('r', '@b:b.example');
    let go: () => void = () => {};
    world.peers.before = () => new Promise<void>((resolve) => (go = resolve));
    await room.say('1');
    await until(() => expect(world.peers.tries).toHaveLength(1));
    expect(server.runtime.effects.list()[0]!.waiting).toBe(1);
    world.ahead += 11_000;
    await idle(server);
    expect(server.notesOf(B)).toEqual(['destination-behind']);
    await room.say('2');
    world.peers.before = () => {};
    go();
    await until(() => expect(bodies(B)).toEqual(['1', '2']));
    await until(() => expect(server.notesOf(B)).toEqual(['destination-caught-up']));
  });

  it('gets the newest of each room where too much waits for it', async () => {
    const server = await start();
    const room = await server.room('r', '@b:b.example');
    let go: () => void = () => {};
    world.peers.before = () => new Promise<void>((resolve) => (go = resolve));
    for (let i = 0; i < 1_100; i++) await room.say(`${i}`);
    await until(() => expect(server.notesOf(B)).toEqual(['destination-behind']));
    world.peers.before = () => {};
    go();
    await until(() => expect(server.notesOf(B)).toEqual(['destination-caught-up']));
    expect(bodies(B).at(-1)).toBe('1099');
    expect(bodies(B).length).toBeLessThan(200);
  });
});

describe('several processes over one log', () => {
  it('send as one: another goes on where the one that sent has ended, and knows who is left alone', async () => {
    world.places = 0;
    const first = await start();
    const second = await start();
    world.peers.dead.add(C);
    const room = await first.room('r', '@b:b.example', '@c:c.example');
    await room.say('1');
    await until(() => expect(bodies(B)).toEqual(['m.room.member', '1']));
    await until(() => expect(first.destinations.numbers.asleep).toBe(1));
    expect(second.destinations.numbers).toMatchObject({ asleep: 0, accepted: 0 });
    await idle(first);
    await first.stop();
    await room.say('2');
    await until(() => expect(bodies(B)).toEqual(['m.room.member', '1', '2']));
    expect(second.destinations.numbers).toMatchObject({ asleep: 1, accepted: 1 });
  });

  it('each send the EDUs that may be lost', async () => {
    world.places = 0;
    const both = [await start(), await start()];
    for (const [n, { outbox }] of both.entries()) outbox.sendEdu(B, { edu_type: 'm.typing', content: { n } });
    await until(() => expect(world.peers.edusAt(B)).toHaveLength(2));
    await until(() => expect(both.map(({ destinations }) => destinations.numbers.active)).toEqual([0, 0]));
  });
});
