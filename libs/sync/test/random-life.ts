import { numbersFrom } from '#testing/numbers-from';
import { roomPath, type SyncApp, type SyncUser } from '#testing/sync-app';

/** Rooms of Alice in which things happen by chance, and Bob, who comes, speaks, goes and forgets: what a seed's life has for his clients to be told. */
export class RandomLife {
  /** The rooms that Bob is in. */
  readonly inside = new Set<string>();
  readonly #left = new Set<string>();
  /** What of the state was sent, by where. */
  readonly #sent: (readonly [roomId: string, eventId: string])[] = [];
  #steps = 0;

  private constructor(
    readonly next: (below: number) => number,
    readonly rooms: readonly string[],
    readonly alice: SyncUser,
    readonly bob: SyncUser,
  ) {}

  static async begin(app: SyncApp, seed: number, count: number): Promise<RandomLife> {
    const [alice, bob] = await Promise.all([app.register(`alice${seed}`), app.register(`bob${seed}`)]);
    const rooms: string[] = [];
    for (let n = 0; n < count; n++) rooms.push(await alice.createRoom({ preset: 'public_chat' }));
    return new RandomLife(numbersFrom(seed), rooms, alice, bob);
  }

  /** Something happens in one of the rooms. */
  async step(): Promise<void> {
    const { next, rooms, alice, bob } = this;
    const step = this.#steps++;
    const roomId = rooms[next(rooms.length)]!;
    switch (next(7)) {
      case 0:
      case 1:
        await alice.send(roomId, `message ${step}`);
        return;
      case 2:
        this.#sent.push([roomId, await alice.setState(roomId, 'm.room.topic', { topic: `topic ${step}` })]);
        return;
      case 3:
        this.#sent.push([roomId, await alice.setState(roomId, 'org.example', { step }, `key ${next(3)}`)]);
        return;
      case 4:
        if (this.inside.has(roomId)) await bob.send(roomId, `answer ${step}`);
        else await this.#join(roomId);
        return;
      case 5:
        await this.#redact(step);
        return;
      default:
        if (!this.inside.has(roomId)) await (next(2) === 0 ? this.#forget(roomId) : this.#join(roomId));
        else if (next(3) === 0) await this.#leave(roomId);
    }
  }

  /** In the end Bob is in all rooms. */
  async joinAll(): Promise<void> {
    for (const roomId of this.rooms) await this.#join(roomId);
  }

  /** One of the last: mostly that is so still. */
  async #redact(step: number): Promise<void> {
    const [roomId, eventId] = this.#sent.at(-1 - this.next(4)) ?? [];
    if (roomId === undefined || eventId === undefined) return;
    await this.alice.ok('PUT', `${roomPath(roomId)}/redact/${encodeURIComponent(eventId)}/redact${step}`, {});
  }

  async #join(roomId: string): Promise<void> {
    await this.bob.join(roomId);
    this.inside.add(roomId);
    this.#left.delete(roomId);
  }

  async #leave(roomId: string): Promise<void> {
    await this.bob.leave(roomId);
    this.inside.delete(roomId);
    this.#left.add(roomId);
    if (this.next(2) === 0) await this.#forget(roomId);
  }

  async #forget(roomId: string): Promise<void> {
    if (this.#left.delete(roomId)) await this.bob.ok('POST', `${roomPath(roomId)}/forget`, {});
  }
}
