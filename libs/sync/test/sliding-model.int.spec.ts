import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SlidingClient } from '#testing/sliding-client';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';
import { RandomLife } from './random-life.js';

/*
 * Clients that believe what sliding sync tells them, on several connections, with windows that change by chance, answers that are lost and
 * a server that restarts: in the end each must know which rooms it is in, and have the state of every room and every event it could see, each once and in order.
 */
interface SeenEvent {
  readonly event_id: string;
  readonly type: string;
  readonly state_key?: string;
  readonly sender: string;
  readonly content: { readonly membership?: string };
  readonly redacts?: string;
}

interface Held {
  readonly id: string;
  readonly content: object;
}

interface ToldRoom {
  readonly initial?: boolean;
  readonly limited?: boolean;
  readonly prev_batch?: string;
  readonly unstable_expanded_timeline?: boolean;
  readonly required_state?: readonly SeenEvent[];
  readonly timeline?: readonly SeenEvent[];
}

type Numbers = (below: number) => number;

const MEMBER = 'm.room.member';
const ALL_STATE = [['*', '*']];
const SOME_STATE = [['m.room.topic', '']];
const SOME_LAZY_STATE = [...SOME_STATE, [MEMBER, '$LAZY']];
const LAZY_STATE = [[MEMBER, '$LAZY'], ['m.room.topic', ''], ['org.example', '*']]; // prettier-ignore

class ModelClient {
  readonly state = new Map<string, Map<string, Held>>();
  readonly timelines = new Map<string, string[]>();
  readonly #memberships = new Map<string, string | undefined>();
  readonly #client: SlidingClient;

  constructor(
    readonly user: SyncUser,
    readonly connId: string,
    private readonly isLazy: boolean,
  ) {
    this.#client = new SlidingClient(user, connId);
  }

  /** The rooms that it takes its user to be in. */
  get inside(): string[] {
    return [...this.#memberships].flatMap(([roomId, membership]) => (membership === 'join' ? [roomId] : [])).toSorted();
  }

  /** Asks for what chance says, and loses the answer now and then. */
  async look(next: Numbers, rooms: readonly string[]): Promise<void> {
    const wanted = this.isLazy ? LAZY_STATE : ALL_STATE;
    const less = this.isLazy ? SOME_LAZY_STATE : SOME_STATE;
    const from = next(2);
    const list = { ranges: [[from, from + next(3)]], timeline_limit: 1 + next(4), required_state: wanted };
    const subscription = { timeline_limit: 1 + next(6), required_state: next(3) === 0 ? less : wanted };
    const room_subscriptions = next(3) === 0 ? { [rooms[next(rooms.length)]!]: subscription } : {};
    const body = { lists: next(4) === 0 ? {} : { some: list }, room_subscriptions };
    if (next(4) === 0) expect((await this.#client.ask(body)).status).toBe(200);
    await this.#take(body);
  }

  /** Asks for everything. */
  async lookAtAll(): Promise<void> {
    const required_state = this.isLazy ? LAZY_STATE : ALL_STATE;
    await this.#take({ lists: { all: { ranges: [[0, 99]], timeline_limit: 2, required_state } } });
  }

  async #take(body: object): Promise<void> {
    const { rooms } = await this.#client.next(body);
    for (const [roomId, room] of Object.entries<ToldRoom>(rooms)) await this.#fold(roomId, room);
  }

  async #fold(roomId: string, room: ToldRoom): Promise<void> {
    if (room.initial === true) {
      this.state.set(roomId, new Map());
      this.timelines.set(roomId, []);
    }
    const { timeline = [], required_state: state = [] } = room;
    const told = new Set(timeline.map(({ event_id: id }) => id));
    const known = this.timelines.get(roomId) ?? [];
    const twice = known.filter((id) => told.has(id));
    if (room.unstable_expanded_timeline !== true) expect(twice, 'no event twice').toEqual([]);
    const before = known.filter((id) => !told.has(id));
    const gap = room.limited === true && room.initial !== true ? await this.#gap(roomId, room.prev_batch!, before) : [];
    this.timelines.set(roomId, [...before, ...gap, ...told]);
    for (const { type, state_key: key, event_id: id, content } of state)
      this.state.get(roomId)?.set(`${type}|${key}`, { id, content });
    for (const { redacts } of timeline) this.#redact(roomId, redacts);
    const own = [...timeline, ...state].filter(
      ({ type, state_key: key }) => type === MEMBER && key === this.user.userId,
    );
    // A room of which nothing else is told is one to be in.
    const membership = own.at(-1)?.content.membership ?? (room.initial === true ? 'join' : undefined);
    if (membership !== undefined) this.#memberships.set(roomId, membership);
    if (this.isLazy && membership !== 'leave')
      for (const { sender } of timeline) expect(this.state.get(roomId)!.has(`${MEMBER}|${sender}`), sender).toBe(true);
  }

  /** Of what is redacted here nothing is left. */
  #redact(roomId: string, id: string | undefined): void {
    for (const [key, held] of this.state.get(roomId) ?? [])
      if (held.id === id) this.state.get(roomId)!.set(key, { id, content: {} });
  }

  /** Reads backwards from a gap's end to what is known. */
  async #gap(roomId: string, from: string, known: readonly string[]): Promise<string[]> {
    const found: string[] = [];
    for (let token: string | undefined = from; token !== undefined;) {
      const path = `${roomPath(roomId)}/messages?dir=b&limit=3&from=${token}`;
      const page: { chunk: SeenEvent[]; end?: string } = await this.user.ok('GET', path);
      for (const { event_id: id } of page.chunk) {
        if (known.includes(id)) return found.toReversed();
        found.push(id);
      }
      token = page.chunk.length === 0 ? undefined : page.end;
    }
    return found.toReversed();
  }
}

async function everyEvent(user: SyncUser, roomId: string): Promise<string[]> {
  const found: string[] = [];
  for (let token: string | undefined = ''; token !== undefined;) {
    const from: string = token === '' ? '' : `&from=${token}`;
    const page: { chunk: SeenEvent[]; end?: string } = await user.ok(
      'GET',
      `${roomPath(roomId)}/messages?dir=b&limit=100${from}`,
    );
    found.push(...page.chunk.map(({ event_id: id }) => id));
    token = page.chunk.length === 0 ? undefined : page.end;
  }
  return found.toReversed();
}

const LIVES = Number(process.env['ANNALS_SLIDING_LIVES'] ?? 6);
const FIRST = Number(process.env['ANNALS_SLIDING_SEED'] ?? 1);

let app: SyncApp;
beforeAll(async () => {
  app = await SyncApp.start();
});
afterAll(() => app.close());

describe.each(Array.from({ length: LIVES }, (_, n) => FIRST + n))('clients of the random history %i', (seed) => {
  it('have the state of each room and all its events in the end', { timeout: 120_000 }, async () => {
    const life = await RandomLife.begin(app, seed, 4);
    const { next, rooms, bob } = life;
    const clients = ['one', 'two', 'lazy'].map((id) => new ModelClient(bob, id, id === 'lazy'));
    for (let step = 0; step < 90; step++) {
      const what = next(9);
      if (what > 6) await clients[next(clients.length)]!.look(next, rooms);
      else if (what < 6) await life.step();
      else if (next(10) === 0) await app.restart();
    }
    for (const client of clients) {
      await client.lookAtAll();
      expect([client.connId, client.inside]).toEqual([client.connId, [...life.inside].toSorted()]);
    }
    await life.joinAll();
    for (const client of clients) await client.lookAtAll();
    for (const roomId of rooms) {
      const state: SeenEvent[] = await bob.ok('GET', `${roomPath(roomId)}/state`);
      const isWanted = ({ type }: SeenEvent): boolean => type === 'm.room.topic' || type === 'org.example';
      const visible = await everyEvent(bob, roomId);
      for (const client of clients) {
        const told = client.state.get(roomId)!;
        const wanted = client.connId === 'lazy' ? state.filter(isWanted) : state;
        if (client.connId !== 'lazy') expect(told.size).toBe(wanted.length);
        for (const { type, state_key: key, event_id: id, content } of wanted)
          expect([client.connId, key, told.get(`${type}|${key}`)]).toEqual([client.connId, key, { id, content }]);
        const seen = client.timelines.get(roomId)!;
        expect([client.connId, seen]).toEqual([client.connId, visible.slice(-seen.length)]);
      }
    }
  });
});
