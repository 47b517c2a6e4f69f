import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EventStore } from '#event-store/event-store';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import type { RoomId, ServerName, UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import { decodeSigningKey } from '#protocol/signing/signing-key';
import { RoomSnapshots } from '#rooms/worker/room-snapshots';
import type { RoomTurn } from '#rooms/worker/room-turn';
import { RoomWorkers } from '#rooms/worker/room-workers';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';

/**
 * Grows the log of a stopped server's data folder through the rooms' own workers: every event is decided, hashed, signed and
 * authorised as if clients had sent it, only without HTTP. For the figures that need a large log or a large room.
 */
export class GrownLog {
  private constructor(
    readonly store: EventStore,
    private readonly workers: RoomWorkers,
    private readonly closeViews: () => Promise<void>,
  ) {}

  static async open(directory: string, serverName: ServerName): Promise<GrownLog> {
    const store = await openLmdbEventStore(join(directory, 'log'));
    const views = await openLmdbReadModels(join(directory, 'views'));
    const signingKey = decodeSigningKey(readFileSync(join(directory, 'keys', 'signing.key'), 'utf8'));
    const snapshots = new RoomSnapshots(store, views, (_, error) => {
      throw error;
    });
    const workers = new RoomWorkers({
      store,
      snapshots,
      // Nothing is received here, so nobody asks for the graph.
      views: { get: async () => undefined, scan: async () => [], position: () => START, confirm: async () => {} },
      author: { serverName, signingKey },
      clock: { now: () => Date.now() },
    });
    return new GrownLog(store, workers, () => views.close());
  }

  /** Lets so many users, named after their number, join a public room. */
  joins(roomId: RoomId, count: number): Promise<void> {
    return this.#many(roomId, count, joinOne);
  }

  /** Sends so many messages to each room, as its creator. */
  async messages(rooms: readonly RoomId[], count: number): Promise<void> {
    const perRoom = Math.ceil(count / rooms.length);
    for (const roomId of rooms) await this.#many(roomId, perRoom, sayOne);
  }

  /** Sends so many messages to a room, as its creator, each with a text of its own. */
  async says(roomId: RoomId, count: number, textOf: (i: number) => string): Promise<void> {
    await this.#many(roomId, count, (turn, i) => sayOne(turn, i, textOf(i)));
  }

  /** Lets somebody new join each room and its creator send nine messages, over and over and room after room, until there are so many facts. */
  async talks(rooms: readonly RoomId[], count: number): Promise<void> {
    for (let from = 0; from * rooms.length * 10 < count; from += 2) {
      for (const roomId of rooms) {
        for (const joined of [from, from + 1]) {
          await this.#many(roomId, 1, (turn) => joinOne(turn, joined));
          await this.#many(roomId, 9, sayOne);
        }
      }
    }
  }

  async close(): Promise<void> {
    await this.workers.close();
    await this.closeViews();
    await this.store.close();
  }

  async #many(roomId: RoomId, count: number, decide: (turn: RoomTurn, i: number) => Promise<unknown>): Promise<void> {
    const PER_TURN = 200;
    for (let from = 0; from < count; from += PER_TURN) {
      await this.workers.run(roomId, { actor: 'server' }, async (turn) => {
        for (let i = from; i < Math.min(count, from + PER_TURN); i++) await decide(turn, i);
      });
    }
  }
}

function joinOne(turn: RoomTurn, i: number): Promise<unknown> {
  const sender = `@member${i}:bench.example` as UserId;
  const content = { membership: 'join', displayname: `Member ${i}` };
  return turn.send({ type: 'm.room.member', stateKey: sender, sender, content });
}

function sayOne(
  turn: RoomTurn,
  i: number,
  body = `Message ${i}: let us meet at half past seven, the usual place`,
): Promise<unknown> {
  const content = { msgtype: 'm.text', body };
  return turn.send({ type: 'm.room.message', sender: turn.head.createEvent.sender, content });
}
