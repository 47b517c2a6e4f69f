import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sealFacts } from '#event-store/seal-facts';
import { RETENTION_STREAM } from '#rooms/facts/retention-facts';
import type { LocalRoom } from '#testing/local-room';
import { B, C, newWorld, SendingServer, type World } from '../../test/sending-server.js';

const HOUR = 3_600_000;
/** When the rooms of these tests begin. Their clock may be some milliseconds ahead of that of the server: each event takes it one further. */
const THEN = 1_700_000_000_000;

let world: World;
let server: SendingServer;
let room: LocalRoom;

beforeEach(async () => {
  world = { ...newWorld(), stickyEvents: true, ahead: THEN - Date.now() };
  server = await SendingServer.start(world);
  room = await server.room('r');
});
afterEach(() => server.stop());

const bodies = (at: string): unknown[] => world.peers.bodiesAt(at);
const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 60_000, interval: 2 });

async function stick(body: string, { ms = HOUR, of = '@alice:a.example' } = {}): Promise<void> {
  await room.send({ type: 'a.type', content: { body }, stickyMs: ms, sender: of as never });
}

const join = (user: string): Promise<unknown> => room.setMembership(user as never, 'join');

/** Waits until nothing is left to be done of any fact. */
async function idle(): Promise<void> {
  await server.runtime.whenProcessed(await world.log.head());
  await until(() => expect(server.runtime.effects.list()[0]!.waiting).toBe(0));
}

/** Lets a server that could not be reached be heard from. */
function isBack(name: string): void {
  world.peers.dead.delete(name);
  world.ahead += 6_000;
  world.peers.wake(name);
}

describe('what is sticky in a room', () => {
  it('is sent to a server that comes to it, what our users have sent and is not over, and to it alone', async () => {
    await stick('one');
    await stick('short', { ms: 1 });
    world.ahead += 60_000;
    await room.say('not sticky');
    await stick('two');
    await join('@b:b.example');
    await until(() => expect(bodies(B).toSorted()).toEqual(['one', 'two']));
    await join('@other:b.example');
    await stick('three');
    await until(() => expect(bodies(B)).toContain('three'));
    await stick('theirs', { of: '@b:b.example' });
    await join('@c:c.example');
    await until(() => expect(bodies(C)).toEqual(['one', 'two', 'three']));
    await idle();
    expect(bodies(B).filter((body) => ['one', 'two', 'three'].includes(body as string))).toHaveLength(3);
  });

  it('is sent once more to a server that left and comes again', async () => {
    await stick('one');
    await join('@b:b.example');
    await until(() => expect(bodies(B)).toEqual(['one']));
    await room.setMembership('@b:b.example' as never, 'leave');
    await join('@b:b.example');
    await until(() => expect(bodies(B)).toEqual(['one', 'one']));
  });

  it('is not sent to who comes once it was redacted, or is over', async () => {
    await room.redact(await room.send({ type: 'a.type', content: { body: 'oops' }, stickyMs: HOUR }));
    await stick('over');
    // The room has a clock of its own, a millisecond further with each event.
    world.ahead += 2 * HOUR;
    await join('@b:b.example');
    await room.say('after');
    await until(() => expect(bodies(B)).toContain('after'));
    expect(bodies(B)).not.toContain('oops');
    expect(bodies(B)).not.toContain('over');
  });

  it('is not sent to who comes once the room keeps it no longer', async () => {
    const data = JSON.stringify({ on: true, default: { max_lifetime: HOUR / 2 }, allowed: {} });
    const ruled = { id: randomUUID(), type: 'retention-ruled', data, at: THEN, actor: 'server' };
    await server.store.append(RETENTION_STREAM, 'no-stream', sealFacts(undefined, [ruled]));
    await stick('old');
    world.ahead += HOUR / 2 + 60_000;
    await join('@b:b.example');
    await room.say('after');
    await until(() => expect(bodies(B)).toContain('after'));
    expect(bodies(B)).not.toContain('old');
  });

  it('is sent to a server that is back, before the newest event, and not what that has', async () => {
    await join('@b:b.example');
    await stick('before');
    await until(() => expect(bodies(B)).toEqual(['before']));
    world.peers.dead.add(B);
    await stick('one');
    await until(() => expect(server.destinations.numbers.asleep).toBe(1));
    await stick('two');
    for (let n = 0; n < 5; n++) await room.say(`${n}`);
    await idle();
    isBack(B);
    await until(() => expect(bodies(B)).toEqual(['before', 'one', 'two', '4']));
    await until(() => expect(server.notesOf(B)).toEqual(['destination-caught-up']));
    world.peers.dead.add(B);
    await stick('three');
    await until(() => expect(server.destinations.numbers.asleep).toBe(1));
    await idle();
    isBack(B);
    // It is the newest event too, and is sent once.
    await until(() => expect(bodies(B)).toEqual(['before', 'one', 'two', '4', 'three']));
  });

  it('is all sent to a server that came while it could not be reached', async () => {
    await stick('one');
    world.peers.dead.add(B);
    await join('@b:b.example');
    await until(() => expect(server.destinations.numbers.asleep).toBe(1));
    await room.say('newest');
    await idle();
    isBack(B);
    await until(() => expect(bodies(B)).toEqual(['one', 'newest']));
  });

  it('waits for a server across a start', async () => {
    await stick('one');
    world.peers.dead.add(B);
    await join('@b:b.example');
    await until(() => expect(server.destinations.numbers.asleep).toBe(1));
    await server.stop();
    world.peers.dead.delete(B);
    world.ahead += 60_000;
    server = await SendingServer.start(world);
    await until(() => expect(bodies(B)).toContain('one'));
  });
});

it('nothing is sent besides where no events are to be sticky', async () => {
  await server.stop();
  world.stickyEvents = false;
  server = await SendingServer.start(world);
  await stick('one');
  await join('@b:b.example');
  await room.say('after');
  await until(() => expect(bodies(B)).toEqual(['after']));
});
