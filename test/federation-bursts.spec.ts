import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { annals } from './support/annals.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import type { ForeignEvent, Json } from './support/federation/foreign-events.js';
import { type Call, HostileServer, type SharedRoom } from './support/federation/hostile-server.js';
import { Member } from './support/federation/member.js';
import { WITHOUT_PRESENCE } from './support/homeserver.js';

/** Many more than may wait of one server. */
const BURST = 1_500;
const IN_TRANSACTION = 50;

const authority = new TestAuthority();
let server: FederatingAnnals;
let other: HostileServer;
let alice: Member;
let room: SharedRoom;

beforeAll(async () => {
  other = await HostileServer.start(authority);
  server = await FederatingAnnals.begin(authority, WITHOUT_PRESENCE);
  alice = await Member.at(server, 'alice');
  room = await other.join(server, await alice.create('10'), 'mallory');
});
afterAll(async () => {
  await other.stop();
  await server.remove();
});

/** Messages of which each stands on the one before. */
function sayMany(count: number): ForeignEvent[] {
  const said: ForeignEvent[] = [];
  for (let i = 0; i < count; i++) {
    const prev = said.at(-1) ?? room.join;
    said.push(other.message(room, { depth: room.depth + 1 + i, prev_events: [prev.id], content: { body: `${i}` } }));
  }
  return said;
}

/** What a server answers that has these events: those of a gap, the nearest twenty. */
function gapIn(events: readonly ForeignEvent[]): (call: Call) => Json {
  const byId = new Map(events.map((event) => [event.id, event.pdu]));
  return ({ body }) => {
    const found: Json[] = [];
    const earliest = new Set<string>(body.earliest_events);
    const parentsOf = (id: string): string[] => (byId.get(id)?.['prev_events'] ?? []) as string[];
    for (let [id] = parentsOf(body.latest_events[0]); id !== undefined && found.length < body.limit;) {
      const pdu = byId.get(id);
      if (pdu === undefined || earliest.has(id)) break;
      found.unshift(pdu);
      [id] = parentsOf(id);
    }
    return { events: found };
  };
}

async function sendAll(events: readonly ForeignEvent[]): Promise<void> {
  for (let at = 0; at < events.length; at += IN_TRANSACTION) {
    const some = events.slice(at, at + IN_TRANSACTION);
    const { status, body } = await other.send(
      server,
      some.map(({ pdu }) => pdu),
    );
    expect([status, body.pdus]).toEqual([200, Object.fromEntries(some.map(({ id }) => [id, {}]))]);
  }
}

/** How often it was asked for a state, as where a gap is not filled. */
const countOfStates = (): number => other.countCalls('/state_ids/');

describe('a burst of another server that waits for what it misses', () => {
  it('is in the room in the end, each event once and in its order, though the server is killed and nothing is said after it', async () => {
    let isAway = true;
    const burst = sayMany(BURST);
    const gap = gapIn(burst);
    other.on('/_matrix/federation/v1/get_missing_events/.*', (call) => (isAway ? [503, {}] : gap(call)));
    other.on('/_matrix/federation/v1/(state_ids|state|event|event_auth)/.*', () => [503, {}]);
    // The first is never sent: all that come wait for it.
    const sent = burst.slice(1);
    await sendAll(sent.slice(0, sent.length / 2));
    await server.restart('SIGKILL');
    await sendAll(sent.slice(sent.length / 2));
    isAway = false;
    const asked = countOfStates();
    await server.restart('SIGKILL');
    await expect.poll(async () => (await alice.messages(room.roomId)).length).toBeGreaterThan(100);
    await server.restart('SIGKILL');
    const expected = burst.map(({ id }) => id).toReversed();
    const read = async (): Promise<string[]> => alice.messages(room.roomId);
    await expect.poll(async () => (await read()).length, { interval: 1_000, timeout: 250_000 }).toBe(BURST);
    expect(await read()).toEqual(expected);
    expect(countOfStates()).toBe(asked);
    expect(other.countCalls('/backfill/')).toBe(0);
  }, 300_000);

  it('leaves a log that holds', async () => {
    await server.end();
    expect(await annals(server, 'verify')).toMatchObject({ code: 0 });
  });
});
