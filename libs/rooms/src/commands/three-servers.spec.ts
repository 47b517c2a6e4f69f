import { describe, expect, it } from 'vitest';
import type { EventId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { numbersFrom } from '#testing/numbers-from';
import { firstEvents } from '#testing/receiving/make-on';
import { SERVERS, USERS } from '../../test/receiving/forked-rooms.js';
import { RealServer, sorted } from '../../test/receiving/real-server.js';
import { slowKey } from '../../test/receiving/slow-resolution.js';
import type { EventDraft } from '../decide/decide-event.js';

/** `ANNALS_ROOMS` for how many rooms of each version, `ANNALS_ROOMS_SEED` for others. */
const ROOMS = Number(process.env['ANNALS_ROOMS'] ?? 2);
const SEED = Number(process.env['ANNALS_ROOMS_SEED'] ?? 1);
const STEPS = 80;
const VERSIONS = ['1', '6', '10', '11', '12'];

/** Three servers that have one room in common, parted and joined by chance. */
class World {
  readonly servers: readonly RealServer[];
  readonly #parted = new Set<string>();

  private constructor(
    private readonly version: RoomVersion,
    private readonly random: (below: number) => number,
    first: Awaited<ReturnType<typeof firstEvents>>,
  ) {
    const { roomId } = first[0]!.event;
    this.servers = SERVERS.map((self) => new RealServer(self, SERVERS, roomId, version));
  }

  static async begin(version: RoomVersion, random: (below: number) => number): Promise<World> {
    const first = await firstEvents(version, SERVERS[0]);
    const world = new World(version, random, first);
    for (const server of world.servers) {
      await server.takeIn(SERVERS[0].name, first[0]!.text);
      await server.receive(
        SERVERS[0].name,
        first.map(({ text }) => text),
      );
    }
    return world;
  }

  async step(): Promise<void> {
    const { random } = this;
    const server = this.servers[random(3)]!;
    const kind = random(20);
    for (const one of this.servers) one.now += random(3);
    if (kind < 8) await this.#act();
    else if (kind < 11) await this.#forge();
    else if (kind < 17) await this.#tell(server, this.servers[random(3)]!);
    else if (kind === 17) this.#part();
    else if (kind === 18) server.restart();
    else await server.follow();
  }

  /** All tell each other everything, in any order. */
  async heal(): Promise<void> {
    for (const from of [...this.servers, ...this.servers]) {
      for (const to of this.servers) {
        const texts = this.#shuffled(this.#unknownTo(to, from));
        if (texts.length === 0) continue;
        const { received } = await to.receive(from.self.name, texts);
        expect(received.filter(({ kind }) => kind === 'missing' || kind === 'dropped')).toEqual([]);
      }
    }
  }

  /** Some of what one server knows and another does not, in any order; what that misses it fetches, or does without for now. */
  async #tell(from: RealServer, to: RealServer): Promise<void> {
    if (from === to || this.#parted.has(pairOf(from, to))) return;
    const texts = this.#shuffled(this.#unknownTo(to, from)).slice(0, 1 + this.random(6));
    if (texts.length === 0) return;
    const { received } = await to.receive(from.self.name, texts);
    const missing = received.flatMap((one) => (one.kind === 'missing' ? [...one.parents, ...one.authEvents] : []));
    if (missing.length === 0 || this.random(2) === 0) return;
    await to.receive(
      from.self.name,
      [...new Set(missing)].flatMap((eventId) => from.texts.get(eventId) ?? []),
    );
  }

  #part(): void {
    const pair = pairOf(this.servers[this.random(3)]!, this.servers[this.random(3)]!);
    if (!this.#parted.delete(pair)) this.#parted.add(pair);
  }

  async #act(): Promise<void> {
    const { server: at, id } = USERS[this.random(4)]!;
    const server = this.servers[at]!;
    if (this.random(6) === 0) {
      const target = this.#someOf(server, id);
      await server.redact(id, target);
      return;
    }
    await server.send(this.#draft(server, id, server.slow.extremities()));
  }

  /** A server makes an event wherever it likes, allowed there or not, and claims any depth. */
  async #forge(): Promise<void> {
    const { server: at, id } = USERS[this.random(4)]!;
    const server = this.servers[at]!;
    const known = [...server.slow.events.keys()].slice(1);
    const prev = [
      ...new Set(
        Array.from(
          { length: 1 + this.random(3) },
          () => known[known.length - 1 - this.random(Math.min(8, known.length))]!,
        ),
      ),
    ];
    const draft = this.random(5) === 0 ? this.#redaction(server, id) : this.#draft(server, id, prev);
    const depth = this.random(8) === 0 ? this.random(2) * Number.MAX_SAFE_INTEGER : known.length;
    const auth = server.slow.authFor({ stateKey: undefined, ...draft }, prev);
    const made = server.self.make(this.version, server.roomId, { ...draft, prev, auth, depth, ts: server.now });
    await server.receive(server.self.name, [made.text]);
  }

  #redaction(server: RealServer, sender: UserId): EventDraft {
    return { type: 'm.room.redaction', sender, content: {}, redacts: this.#someOf(server, sender) };
  }

  /** An event to redact, of the user's own or of anybody's. */
  #someOf(server: RealServer, userId: UserId): EventId {
    const all = [...server.slow.events.values()].filter(({ type }) => type !== 'm.room.create');
    const own = all.filter(({ sender }) => sender === userId);
    const list = own.length > 0 && this.random(3) > 0 ? own : all;
    return list[this.random(list.length)]!.eventId;
  }

  #draft(server: RealServer, sender: UserId, prev: readonly EventId[]): EventDraft {
    const { random } = this;
    const target = USERS[random(4)]!.id;
    switch (random(9)) {
      case 0:
      case 1:
        return { type: 'm.room.member', sender, stateKey: sender, content: { membership: 'join' } };
      case 2:
        return { type: 'm.room.member', sender, stateKey: target, content: { membership: 'ban' } };
      case 3:
        return {
          type: 'm.room.member',
          sender,
          stateKey: target,
          content: { membership: random(2) === 0 ? 'leave' : 'invite' },
        };
      case 4: {
        const id = server.slow.stateBefore(prev).get(slowKey('m.room.power_levels', ''));
        const users = (id === undefined ? {} : server.slow.events.get(id)!.content['users']) as JsonObject;
        const content = { users: { ...users, [target]: [0, 50, 100][random(3)]! } };
        return { type: 'm.room.power_levels', sender, stateKey: '', content };
      }
      case 5:
        return {
          type: 'm.room.join_rules',
          sender,
          stateKey: '',
          content: { join_rule: random(3) === 0 ? 'invite' : 'public' },
        };
      case 6:
      case 7:
        return { type: 'm.room.topic', sender, stateKey: '', content: { topic: String(random(100)) } };
      default:
        return { type: 'm.room.message', sender, content: { body: `Hello ${random(100)}` } };
    }
  }

  #unknownTo(to: RealServer, from: RealServer): string[] {
    return [...from.texts].filter(([eventId]) => !to.has(eventId)).map(([, text]) => text);
  }

  #shuffled<T>(list: readonly T[]): T[] {
    const keyed = list.map((item) => ({ item, at: this.random(1_000_000) }));
    return keyed.sort((a, b) => a.at - b.at).map(({ item }) => item);
  }
}

function pairOf(one: RealServer, other: RealServer): string {
  return [one.self.name, other.self.name].sort().join(' ');
}

function expectSame(list: readonly unknown[]): void {
  expect(new Set(list.map((one) => JSON.stringify(one))).size).toBe(1);
}

const outcomes = new Map<string, number>();
let agreed = 0;

describe('three servers that have a room in common, each with its own log, views and workers', () => {
  it.each(VERSIONS)(
    'come to the same, and to what the reference says, whatever parts them (room version %s)',
    async (id) => {
      for (let room = 0; room < ROOMS; room++) {
        const world = await World.begin(findRoomVersion(id)!, numbersFrom((SEED * 100 + Number(id)) * 1_000 + room));
        const { servers } = world;
        for (let step = 0; step < STEPS; step++) await world.step();
        await world.heal();
        const ids = [...servers[0]!.texts.keys()];
        for (const server of servers) expect(sorted(server.texts.keys())).toEqual(sorted(ids));
        const roots = await Promise.all(servers.map((server) => server.roots(ids)));
        expectSame(roots);
        // An event of each on all extremities that it has: the last stands on whatever any of them took.
        for (const { server: at, id: sender } of [...USERS, USERS[0]]) {
          await servers[at]!.send({ type: 'm.room.message', sender, content: { body: 'merge' } });
          await world.heal();
        }
        const merged = await Promise.all(servers.map((server) => server.extremities()));
        if (new Set(merged.map(({ extremities }) => extremities.join())).size === 1) {
          expectSame(merged);
          agreed++;
        }
        for (const server of servers) {
          const { lived, anew } = await server.rows();
          expect(lived).toEqual(anew);
          for (const { type } of server.facts) outcomes.set(type, (outcomes.get(type) ?? 0) + 1);
        }
      }
    },
    60_000,
  );

  // Rooms in which nothing is refused would say little; and where one server soft-failed all that others said, they may differ.
  it('have had all that can become of an event, and come to the same extremities', () => {
    const kinds = ['pdu-accepted', 'pdu-redacted', 'pdu-rejected', 'pdu-soft-failed'];
    expect([...outcomes.keys()].sort()).toEqual(kinds);
    expect(agreed).toBeGreaterThan(VERSIONS.length * ROOMS * 0.4);
  });
});
