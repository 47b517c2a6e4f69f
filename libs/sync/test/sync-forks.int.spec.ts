import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { pduTextOf } from '#rooms/facts/fact-text';
import { TEST_AUTHOR } from '#testing/local-room';
import { numbersFrom } from '#testing/numbers-from';
import { ForeignServer } from '#testing/receiving/foreign-server';
import { type DraftOn, makeOn } from '#testing/receiving/make-on';
import { keysKnownTo, MemoryRoom } from '#testing/receiving/memory-room';
import { factsOf, Receiver } from '#testing/receiving/receiver';
import { SlidingClient, StableSlidingClient } from '#testing/sliding-client';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

/**
 * Clients that believe what they are told of a room that forks all the time: whatever the limits and the moments of their requests,
 * each answer must leave them with the room's state as it is, and no message may be kept from them without a word.
 */

/** How many rooms: `ANNALS_ROOMS=1000` for a long look, `ANNALS_ROOMS_SEED` for others. */
const ROOMS = Number(process.env['ANNALS_ROOMS'] ?? 6);
const SEED = Number(process.env['ANNALS_ROOMS_SEED'] ?? 1);
const STEPS = 50;
const NO_LIMIT = 1_000;

const OTHER = new ForeignServer('b.example', 2);
const BOB = OTHER.user('bob');
const CAROL = OTHER.user('carol');
const KEYS = keysKnownTo(TEST_AUTHOR, OTHER);

interface SeenEvent {
  readonly event_id: string;
  readonly type: string;
  readonly state_key?: string;
  readonly content: Readonly<Record<string, unknown>>;
}

interface SeenRoom {
  readonly state?: { readonly events: readonly SeenEvent[] };
  readonly state_after?: { readonly events: readonly SeenEvent[] };
  readonly timeline: { readonly limited: boolean; readonly events: readonly SeenEvent[] };
}

interface Options {
  readonly use_state_after: boolean;
  readonly lazy_load_members: boolean;
}

const MEMBER = 'm.room.member ';
const keyOf = ({ type, state_key: key }: SeenEvent): string => `${type} ${key}`;

class Client {
  #since: string | undefined;
  #hasAll = true;
  #isOut = false;
  #state = new Map<string, string>();
  readonly #seen = new Set<string>();

  constructor(
    readonly user: SyncUser,
    private readonly roomId: RoomId,
    private readonly options: Options,
  ) {}

  /** Syncs, and compares what it makes of the answer with the room: its state, and the messages that everybody may see. */
  async sync(limit: number, messages: readonly string[]): Promise<void> {
    const { use_state_after, lazy_load_members } = this.options;
    const filter = { room: { include_leave: true, timeline: { limit }, state: { lazy_load_members } } };
    const how = { ...(this.#since !== undefined && { since: this.#since }), filter, use_state_after };
    const { rooms, next_batch } = await this.user.sync(how);
    this.#since = next_batch;
    const before = this.#state;
    const [joined, left] = [rooms?.join?.[this.roomId], rooms?.leave?.[this.roomId]] as (SeenRoom | undefined)[];
    // Who comes back begins anew.
    if (joined !== undefined && this.#isOut) this.#state = new Map();
    for (const room of [joined, left]) if (room !== undefined) this.#fold(room);
    await this.#compareState(before, `${this.user.userId} ${JSON.stringify(how)}`);
    if (this.#hasAll) expect([...this.#seen]).toEqual(expect.arrayContaining([...messages]));
    if (left !== undefined) this.#isOut = true;
    else if (joined !== undefined) this.#isOut = false;
  }

  #fold({ state, state_after, timeline }: SeenRoom): void {
    // Nobody tells of all who changed in a gap where members are loaded lazily.
    const isStale = timeline.limited && this.options.lazy_load_members;
    this.#state = new Map([...this.#state].filter(([key]) => !isStale || !key.startsWith(MEMBER)));
    if (timeline.limited) this.#hasAll = false;
    const told = [...(state_after ?? state)!.events, ...(state_after === undefined ? timeline.events : [])];
    for (const event of told) if (event.state_key !== undefined) this.#state.set(keyOf(event), event.event_id);
    for (const { event_id: id } of timeline.events) this.#seen.add(id);
  }

  async #compareState(before: ReadonlyMap<string, string>, how: string): Promise<void> {
    if (this.#state.size === 0) return;
    const all: SeenEvent[] = await this.user.ok('GET', `${roomPath(this.roomId)}/state`);
    const expected = new Map(all.map((event) => [keyOf(event), event]));
    const own = `${MEMBER}${this.user.userId}`;
    const isOut = expected.get(own)?.content['membership'] !== 'join';
    const isLazy = this.options.lazy_load_members;
    for (const [key, event] of expected) {
      const told = this.#state.get(key);
      // Of who has left also what became of them afterwards is told; and members that nobody needs are not told.
      if ((isOut && key === own) || (isLazy && told === undefined && key.startsWith(MEMBER))) continue;
      expect(told, `${key} for ${how}`).toBe(event.event_id);
    }
    // Of what resolution left to nothing there is no event to tell to who had it.
    for (const [key, told] of this.#state)
      if (!expected.has(key) && before.get(key) !== told) expect.fail(`there is no ${key} for ${how}`);
  }
}

interface SlidRoom {
  readonly initial?: boolean;
  readonly limited?: boolean;
  readonly required_state?: readonly (SeenEvent | { readonly type: string; readonly state_key: string })[];
  readonly timeline?: readonly SeenEvent[];
}

/** As `Client`, in either shape of sliding sync: the state is told by itself, and by the stable one also what is gone. */
class SlidClient {
  readonly #client: SlidingClient;
  #hasAll = true;
  #state = new Map<string, string>();
  readonly #seen = new Set<string>();

  constructor(
    readonly user: SyncUser,
    private readonly roomId: RoomId,
    private readonly isStable: boolean,
    private readonly isLazy: boolean,
  ) {
    const id = `${isStable} ${isLazy}`;
    this.#client = isStable ? new StableSlidingClient(user, id) : new SlidingClient(user, id);
  }

  async sync(limit: number, messages: readonly string[]): Promise<void> {
    const timeline_limit = Math.min(limit, 50);
    const config = { timeline_limit, required_state: this.isStable ? this.#stable() : this.#unstable() };
    const list = this.isStable ? { range: [0, 9], ...config } : { ranges: [[0, 9]], ...config };
    const before = this.#state;
    const { rooms } = await this.#client.next({ lists: { all: list } });
    const room: SlidRoom | undefined = rooms[this.roomId];
    if (room !== undefined) this.#fold(room);
    await this.#compareState(
      before,
      `${this.user.userId} ${this.isStable} ${this.isLazy} ${limit} ${JSON.stringify(room)}`,
    );
    if (this.#hasAll) expect([...this.#seen]).toEqual(expect.arrayContaining([...messages]));
  }

  #stable(): object {
    return { include: [{}], lazy_members: this.isLazy };
  }

  #unstable(): unknown[] {
    return this.isLazy ? [['*', '*'], ['m.room.member', '$LAZY']] : [['*', '*']]; // prettier-ignore
  }

  #fold({ initial, limited, required_state: states = [], timeline = [] }: SlidRoom): void {
    if (initial === true) this.#state = new Map();
    if (limited === true) this.#hasAll = false;
    const isStale = limited === true && this.isLazy;
    this.#state = new Map([...this.#state].filter(([key]) => !isStale || !key.startsWith(MEMBER)));
    for (const event of states) {
      const key = `${event.type} ${event.state_key}`;
      if ('event_id' in event) this.#state.set(key, event.event_id);
      else this.#state.delete(key);
    }
    for (const { event_id: id } of timeline) this.#seen.add(id);
  }

  async #compareState(before: ReadonlyMap<string, string>, how: string): Promise<void> {
    if (this.#state.size === 0) return;
    const all: SeenEvent[] = await this.user.ok('GET', `${roomPath(this.roomId)}/state`);
    const expected = new Map(all.map((event) => [keyOf(event), event]));
    const own = `${MEMBER}${this.user.userId}`;
    const isOut = expected.get(own)?.content['membership'] !== 'join';
    for (const [key, event] of expected) {
      const told = this.#state.get(key);
      if ((isOut && key === own) || (this.isLazy && told === undefined && key.startsWith(MEMBER))) continue;
      expect(told, `${key} for ${how}`).toBe(event.event_id);
    }
    for (const [key, told] of this.#state)
      if (!expected.has(key) && (this.isStable || before.get(key) !== told))
        expect.fail(`there is no ${key} for ${how}`);
  }
}

let app: SyncApp;
beforeAll(async () => {
  app = await SyncApp.start();
});
afterAll(() => app.close());

type Draft = Omit<DraftOn, 'prev'>;

/** A room of Alice and Dave here, and of Bob and Carol, whose events stand wherever they like. */
class ForkingRoom {
  readonly messages: string[] = [];
  #told = 0;

  private constructor(
    readonly roomId: RoomId,
    readonly alice: SyncUser,
    readonly dave: SyncUser,
    private readonly random: (below: number) => number,
    private readonly receiver: Receiver,
    private readonly there: MemoryRoom,
  ) {}

  static async begin(seed: number): Promise<ForkingRoom> {
    const [alice, dave] = [await app.register(`alice${seed}`), await app.register(`dave${seed}`)];
    const users = { [alice.userId]: 100, [BOB]: 50, [CAROL]: 90, [dave.userId]: 50 };
    const options = { preset: 'public_chat', room_version: '11', power_level_content_override: { users } };
    const roomId = (await alice.createRoom(options)) as RoomId;
    await dave.join(roomId);
    const receiver = new Receiver(app, roomId, OTHER.name, KEYS);
    const there = new MemoryRoom(roomId, findRoomVersion('11')!, KEYS);
    const room = new ForkingRoom(roomId, alice, dave, numbersFrom(seed), receiver, there);
    for (const sender of [BOB, CAROL]) {
      await room.#receive({ type: 'm.room.member', sender, stateKey: sender, content: { membership: 'join' } });
    }
    return room;
  }

  async step(): Promise<void> {
    const { random, alice, dave, roomId } = this;
    switch (random(8)) {
      case 0:
        this.messages.push(await alice.send(roomId, `message ${random(1_000)}`));
        break;
      case 1:
        if (random(3) > 0) await alice.setState(roomId, 'm.room.topic', { topic: `of Alice ${random(1_000)}` });
        // By a rule that other servers did not know of their members' joins may be left to nothing.
        else await alice.setState(roomId, 'm.room.join_rules', { join_rule: ['public', 'invite'][random(2)]! });
        break;
      case 2: {
        const path = `${roomPath(roomId)}/${random(2) === 0 ? 'leave' : 'join'}`;
        await dave.call('POST', path, {});
        break;
      }
      default:
        await this.#receive(this.#draft(), random(3) === 0 ? undefined : this.#anywhere());
    }
  }

  /** Events that others may have stood on: the last ones, whatever became of them. */
  #anywhere(): EventId[] {
    const known = [...this.there.known.keys()].slice(-7);
    return [...new Set(Array.from({ length: 1 + this.random(3) }, () => known[this.random(known.length)]!))];
  }

  async #receive(draft: Draft, prev?: readonly EventId[]): Promise<void> {
    await this.#tellAll();
    const pdu = await makeOn(this.there, OTHER, { ...draft, ...(prev && { prev }) });
    const { kind } = await this.there.receive(pdu.text);
    await this.receiver.pdus(pdu.text);
    if (kind === 'accepted' && draft.type === 'm.room.message') this.messages.push(pdu.event.eventId);
  }

  /** Lets the other server know everything. */
  async #tellAll(): Promise<void> {
    const facts = await factsOf(app, this.roomId);
    for (const { type, data } of facts.slice(this.#told)) {
      if (type === 'pdu-accepted') await this.there.receive(pduTextOf(data));
    }
    this.#told = facts.length;
  }

  #draft(): Draft {
    const { random } = this;
    const sender = random(3) === 0 ? CAROL : BOB;
    const ts = Date.now() + (random(3) - 1) * 3_600_000 + random(1_000);
    const target = [BOB, this.dave.userId, sender][random(3)]!;
    const state = (type: string, content: Draft['content'], stateKey = ''): Draft => ({
      type,
      sender,
      ts,
      stateKey,
      content,
    });
    switch (random(9)) {
      case 0:
      case 1:
        return state('m.room.topic', { topic: `of another server ${random(1_000)}` });
      case 2:
        return state('m.room.name', { name: `${random(1_000)}` });
      case 3:
        return state('m.room.member', { membership: 'join', displayname: `${random(1_000)}` }, sender);
      case 4:
        return state('m.room.member', { membership: 'leave' }, target);
      case 5:
        return { ...state('m.room.member', { membership: 'ban' }, target), sender: CAROL };
      case 6: {
        const users = { [this.alice.userId]: 100, [CAROL]: 90, [BOB]: random(2) * 50, [this.dave.userId]: 50 };
        return { ...state('m.room.power_levels', { users }), sender: CAROL };
      }
      case 7:
        return {
          ...state('m.room.history_visibility', { history_visibility: ['shared', 'joined'][random(2)]! }),
          sender: CAROL,
        };
      default:
        return { type: 'm.room.message', sender, ts, content: { body: `${random(1_000)}` } };
    }
  }
}

const KINDS: readonly Options[] = [false, true].flatMap((use_state_after) =>
  [false, true].map((lazy_load_members) => ({ use_state_after, lazy_load_members })),
);

describe.each(Array.from({ length: ROOMS }, (_, i) => SEED * 1_000 + i))('clients in the forking room %i', (seed) => {
  it('have the state of the room after each answer, and every message or a gap', async () => {
    const random = numbersFrom(seed + 500_000);
    const room = await ForkingRoom.begin(seed);
    const { alice, dave, roomId } = room;
    const clients = [alice, dave].flatMap((user) => [
      ...KINDS.map((kind) => new Client(user, roomId, kind)),
      ...[0, 1, 2, 3].map((n) => new SlidClient(user, roomId, n > 1, n % 2 === 1)),
    ]);
    const limitOf = (): number => (random(2) === 0 ? NO_LIMIT : 1 + random(6));
    /** Dave may have been out when something was said. */
    const messagesFor = ({ user }: Client | SlidClient): readonly string[] => (user === alice ? room.messages : []);
    for (let step = 0; step < STEPS; step++) {
      await room.step();
      for (const client of clients) if (random(12) === 0) await client.sync(limitOf(), messagesFor(client));
      if (random(4) > 0) continue;
      const fresh = new Client([alice, dave][random(2)]!, roomId, KINDS[random(KINDS.length)]!);
      await fresh.sync(limitOf(), messagesFor(fresh));
    }
    for (const client of clients) await client.sync(limitOf(), messagesFor(client));
  });
});
