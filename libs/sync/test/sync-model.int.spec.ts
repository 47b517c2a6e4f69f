import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';
import { RandomLife } from './random-life.js';

/**
 * A client that believes what it is told, and random things that happen: whatever the limits and the moments of its requests,
 * in the end it must know which rooms it is in, and have the state of each and every event it could see, each once and in order.
 */
interface SeenEvent {
  readonly event_id: string;
  readonly type: string;
  readonly state_key?: string;
  readonly sender: string;
  readonly content: object;
  readonly redacts?: string;
}

interface Held {
  readonly id: string;
  readonly content: object;
}

interface JoinedRoom {
  readonly state: { readonly events: SeenEvent[] };
  readonly state_after: { readonly events: SeenEvent[] };
  readonly timeline: { readonly limited: boolean; readonly prev_batch: string; readonly events: SeenEvent[] };
}

class ModelClient {
  since: string | undefined;
  readonly state = new Map<string, Map<string, Held>>();
  readonly timelines = new Map<string, string[]>();

  constructor(
    readonly user: SyncUser,
    private readonly options: { readonly stateAfter: boolean },
  ) {}

  async sync(limit: number): Promise<void> {
    const { stateAfter } = this.options;
    const params = { filter: { room: { timeline: { limit } } }, use_state_after: stateAfter };
    const answer = await this.user.sync(this.since === undefined ? params : { ...params, since: this.since });
    for (const [roomId, room] of Object.entries<JoinedRoom>(answer.rooms?.join ?? {})) {
      if (!this.state.has(roomId)) this.state.set(roomId, new Map());
      const { timeline } = room;
      if (timeline.limited) await this.#fillGap(roomId, timeline.prev_batch);
      for (const event of (stateAfter ? room.state_after : room.state).events) this.#apply(roomId, event);
      for (const event of timeline.events) {
        this.#note(roomId, event);
        if (!stateAfter && event.state_key !== undefined) this.#apply(roomId, event);
        if (event.redacts !== undefined) this.#redact(roomId, event.redacts);
      }
    }
    for (const roomId of Object.keys(answer.rooms?.leave ?? {})) {
      this.state.delete(roomId);
    }
    this.since = answer.next_batch;
  }

  /** Reads backwards from the gap's end to what is known. */
  async #fillGap(roomId: string, from: string): Promise<void> {
    const known = new Set(this.timelines.get(roomId));
    const found: SeenEvent[] = [];
    for (let token: string | undefined = from; token !== undefined;) {
      const page: { chunk: SeenEvent[]; end?: string } = await this.user.ok(
        'GET',
        `${roomPath(roomId)}/messages?dir=b&limit=3&from=${token}`,
      );
      for (const event of page.chunk) {
        if (known.has(event.event_id)) return this.#append(roomId, found);
        found.push(event);
      }
      token = page.chunk.length === 0 ? undefined : page.end;
    }
    this.#append(roomId, found);
  }

  #append(roomId: string, newestFirst: readonly SeenEvent[]): void {
    for (const event of newestFirst.toReversed()) this.#note(roomId, event);
  }

  #note(roomId: string, event: SeenEvent): void {
    const timeline = this.timelines.get(roomId) ?? [];
    this.timelines.set(roomId, timeline);
    expect(timeline, 'no event twice').not.toContain(event.event_id);
    timeline.push(event.event_id);
  }

  #apply(roomId: string, event: SeenEvent): void {
    this.state.get(roomId)!.set(`${event.type}|${event.state_key}`, heldBy(event));
  }

  /** Of what is redacted here nothing is left. */
  #redact(roomId: string, id: string): void {
    const state = this.state.get(roomId)!;
    for (const [key, held] of state) if (held.id === id) state.set(key, { id, content: {} });
  }
}

const heldBy = ({ event_id: id, content }: SeenEvent): Held => ({ id, content });

let app: SyncApp;
beforeAll(async () => {
  app = await SyncApp.start();
});
afterAll(() => app.close());

describe.each([1, 2, 3, 4, 5, 6])('a client of the random history %i', (seed) => {
  it('has the state of the room and all its events in the end', async () => {
    const life = await RandomLife.begin(app, seed, 2);
    const { next, rooms, bob } = life;
    const clients = [new ModelClient(bob, { stateAfter: false }), new ModelClient(bob, { stateAfter: true })];
    for (let step = 0; step < 70; step++) {
      if (next(6) === 0) await clients[next(clients.length)]!.sync(1 + next(4));
      else await life.step();
    }
    for (const client of clients) {
      await client.sync(2);
      expect([...client.state.keys()].toSorted()).toEqual([...life.inside].toSorted());
    }
    await life.joinAll();
    for (const client of clients) await client.sync(2);
    for (const roomId of rooms) {
      const state: SeenEvent[] = await bob.ok('GET', `${roomPath(roomId)}/state`);
      const expected = Object.fromEntries(state.map((event) => [`${event.type}|${event.state_key}`, heldBy(event)]));
      const visible = await everyEvent(bob, roomId);
      for (const client of clients) {
        expect(Object.fromEntries(client.state.get(roomId) ?? [])).toEqual(expected);
        const seen = client.timelines.get(roomId)!;
        expect(seen).toEqual(visible.slice(-seen.length));
      }
    }
  });
});

async function everyEvent(user: SyncUser, roomId: string): Promise<string[]> {
  const { chunk } = await user.ok('GET', `${roomPath(roomId)}/messages?dir=b&limit=1000`);
  return chunk.map((event: SeenEvent) => event.event_id).toReversed();
}
