import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { PeerUnavailable } from '#kernel/peer-errors';
import type { Position } from '#kernel/position';
import { B, C, newWorld, SendingServer, type World } from '../../test/sending-server.js';
import type { AddressedEdu, Edu, EduSource } from './edu-source.js';

let world: World;
const servers: SendingServer[] = [];

async function start(sources: readonly EduSource[] = []): Promise<SendingServer> {
  const server = await SendingServer.start(world, sources);
  servers.push(server);
  return server;
}

beforeEach(() => {
  world = newWorld();
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const until = (check: () => void) => vi.waitFor(check, { timeout: 60_000, interval: 2 });
const edu = (content: JsonObject): Edu => ({ edu_type: 'm.typing', content });
/** Holds up everything until it is called. */
function holdUp(): () => void {
  const waiting: (() => void)[] = [];
  world.peers.before = () => new Promise<void>((resolve) => void waiting.push(resolve));
  return () => {
    world.peers.before = () => {};
    for (const go of waiting) go();
  };
}

describe('an EDU that may be lost', () => {
  it('is sent to each server that it is for, and not to this one', async () => {
    const { outbox } = await start();
    outbox.sendEdu([B, 'a.example' as ServerName, C], edu({ n: 1 }));
    outbox.sendEdu(B, edu({ n: 2 }));
    await until(() => expect(world.peers.edusAt(B)).toEqual([{ n: 1 }, { n: 2 }]));
    await until(() => expect(world.peers.edusAt(C)).toEqual([{ n: 1 }]));
    expect(world.peers.tries.map(({ server }) => server)).toEqual([B, C]);
    expect(world.peers.tries[0]!.pdus).toEqual([]);
  });

  it('gives way to a later one that replaces it, while it waits', async () => {
    const { outbox } = await start();
    const go = holdUp();
    outbox.sendEdu(B, edu({ n: 0 }));
    await until(() => expect(world.peers.tries).toHaveLength(1));
    outbox.sendEdu(B, edu({ n: 1 }), { replaces: 'typing' });
    outbox.sendEdu(B, edu({ n: 2 }), { replaces: 'other' });
    outbox.sendEdu(B, edu({ n: 3 }), { replaces: 'typing' });
    go();
    await until(() => expect(world.peers.edusAt(B)).toEqual([{ n: 0 }, { n: 2 }, { n: 3 }]));
  });

  it('that fails takes the place of none that came after this process ended to send', async () => {
    const { outbox, destinations, runtime } = await start();
    await runtime.stop();
    let fail = (): void => {};
    const failing = new Promise<void>((resolve) => (fail = resolve));
    world.peers.before = async ({ text }) => {
      if (text.includes('"n":2')) return new Promise(() => {});
      await failing;
      throw new PeerUnavailable('gone');
    };
    outbox.sendEdu(B, edu({ n: 1 }));
    await until(() => expect(world.peers.tries).toHaveLength(1));
    destinations.end();
    outbox.sendEdu(B, edu({ n: 2 }));
    fail();
    await until(() => expect(world.peers.tries).toHaveLength(3));
    await delay(20);
    expect(destinations.describe(B).isSending).toBe(true);
  });

  it('is one of a hundred in a transaction, and of two hundred that wait', async () => {
    const { outbox } = await start();
    const go = holdUp();
    outbox.sendEdu(B, edu({ n: -1 }));
    await until(() => expect(world.peers.tries).toHaveLength(1));
    for (let n = 0; n < 250; n++) outbox.sendEdu(B, edu({ n }));
    go();
    await until(() => expect(world.peers.accepted.map(({ edus }) => edus.length)).toEqual([1, 100, 100]));
    expect(world.peers.edusAt(B)[1]).toEqual({ n: 50 });
  });

  it('is lost where the server cannot be reached, and nothing is noted of that', async () => {
    const server = await start();
    world.peers.dead.add(B);
    server.outbox.sendEdu(B, edu({ n: 1 }));
    await until(() => expect(world.peers.tries.length).toBeGreaterThan(1));
    await until(() => expect(server.destinations.numbers.active).toBe(0));
    expect(server.notesOf(B)).toEqual([]);
    world.peers.dead.delete(B);
    server.outbox.sendEdu(B, edu({ n: 2 }));
    await until(() => expect(world.peers.edusAt(B)).toEqual([{ n: 2 }]));
  });

  it('goes with the events that wait', async () => {
    const server = await start();
    const room = await server.room('r', '@b:b.example');
    const go = holdUp();
    await room.say('1');
    await until(() => expect(world.peers.tries).toHaveLength(1));
    await room.say('2');
    server.outbox.sendEdu(B, edu({ n: 1 }));
    await until(() => expect(server.destinations.describe(B).waiting).toBe(3));
    go();
    await until(() => expect(world.peers.accepted).toHaveLength(2));
    expect(world.peers.accepted[1]).toMatchObject({ pdus: [{}], edus: [{ content: { n: 1 } }] });
  });
});

/** Tells b.example what stands in facts of the type `presence-kept`. */
class Told implements EduSource {
  readonly facts: RecordedFact[] = [];

  concerns({ type }: RecordedFact): boolean {
    return type === 'presence-kept';
  }

  async edusOf(fact: RecordedFact): Promise<readonly AddressedEdu[]> {
    this.facts.push(fact);
    return [{ destinations: [B], edu: edu(JSON.parse(fact.data) as JsonObject) }];
  }

  async *missedBy(destination: ServerName, since: Position): AsyncGenerator<readonly Edu[]> {
    const missed = this.facts.filter(({ position }) => destination === B && position >= since);
    yield missed.map(({ data }) => edu({ ...(JSON.parse(data) as JsonObject), missed: true }));
  }
}

describe('an EDU that must not be lost', () => {
  let count = 0;
  beforeEach(() => {
    count = 0;
  });

  async function tell(server: SendingServer): Promise<void> {
    const fact = { type: 'presence-kept', data: JSON.stringify({ last_active: ++count }) };
    const metadata = { at: 1, actor: 'server', schema: 2, chain: '' };
    const id = `00000000-0000-5000-8000-${String(count).padStart(12, '0')}`;
    await server.store.append('presence-@x:a.example', count === 1 ? 'no-stream' : count - 2, [
      { ...fact, metadata, id },
    ]);
  }

  it('comes in the order of the facts, among the events, a hundred at most at once', async () => {
    const server = await start([new Told()]);
    const room = await server.room('r', '@b:b.example');
    const go = holdUp();
    await room.say('1');
    await until(() => expect(world.peers.tries).toHaveLength(1));
    for (let n = 0; n < 120; n++) await tell(server);
    await room.say('2');
    await until(() => expect(server.destinations.describe(B).waiting).toBe(122));
    go();
    await until(() => expect(world.peers.bodiesAt(B)).toEqual(['1', '2']));
    expect(world.peers.accepted.map(({ pdus, edus }) => [pdus.length, edus.length])).toEqual([
      [1, 0],
      [0, 100],
      [1, 20],
    ]);
    expect(world.peers.edusAt(B)).toEqual(Array.from({ length: 120 }, (_, n) => ({ last_active: n + 1 })));
  });

  it('is told again to a server that was away, before the events', async () => {
    const server = await start([new Told()]);
    const room = await server.room('r', '@b:b.example');
    await tell(server);
    await until(() => expect(world.peers.edusAt(B)).toEqual([{ last_active: 1 }]));
    world.peers.dead.add(B);
    await tell(server);
    await room.say('1');
    await tell(server);
    await until(() => expect(server.destinations.numbers.asleep).toBe(1));
    await until(() => expect(server.runtime.effects.list()[0]!.waiting).toBe(0));
    world.peers.dead.delete(B);
    world.ahead += 6_000;
    world.peers.wake(B);
    await until(() => expect(world.peers.bodiesAt(B)).toEqual(['1']));
    expect(world.peers.edusAt(B).slice(1)).toEqual([
      { last_active: 2, missed: true },
      { last_active: 3, missed: true },
    ]);
    await until(() => expect(server.notesOf(B)).toEqual(['destination-caught-up']));
  });
});
