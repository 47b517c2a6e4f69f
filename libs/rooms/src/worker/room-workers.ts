import { setImmediate as nextTurn } from 'node:timers/promises';
import { type RecordedFact, RevisionConflict } from '#event-store/event-store';
import { AppendTooLarge } from '#event-store/event-store-errors';
import { LostRaces } from '#event-store/lost-races';
import { sealFacts } from '#event-store/seal-facts';
import type { RoomId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { isHere } from '../decide/room-head.js';
import { readRoomFact } from '../facts/read-room-fact.js';
import { roomStream } from '../facts/room-facts.js';
import { allowAll } from '../room-policy.js';
import { askFirst } from './ask-first.js';
import { evolveRoom, isGoing, isPurgedSince, roomBefore } from './evolve-room.js';
import { inWrites, wholeOf } from './in-writes.js';
import type { LiveRoom } from './live-room.js';
import { RoomQueue } from './room-queue.js';
import type { RoomSnapshots } from './room-snapshots.js';
import type { FactContext, RoomTurn } from './room-turn.js';
import { type Batch, decideBatch, mustCatchUp, type QueuedTask, settle } from './task-batch.js';
import { remember } from './undurable.js';
import type { TurnServices } from './turn-services.js';
import { UnknownRoom, unknownRoom } from './unknown-room.js';

/** What a task does with its turn. It may wait for the log only, never for another room. */
export type RoomTask<T> = (turn: RoomTurn) => Promise<T>;

/** The task's own result, and the position up to which its facts are; undefined where it appended nothing. */
export interface TurnResult<T> {
  readonly result: T;
  readonly position: Position | undefined;
}

export interface RoomWorkersOptions extends TurnServices {
  readonly snapshots: RoomSnapshots;
  /** How many rooms are kept in memory when nobody writes to them. */
  readonly capacity?: number;
}

/** How a task comes into the queue of its room. */
interface Enqueuing extends Partial<Pick<QueuedTask, 'allowed' | 'isFresh' | 'isOfJoin' | 'isOthers' | 'seed'>> {
  /** The room, where it begins here. */
  readonly begins?: LiveRoom;
}

interface Worker {
  readonly roomId: RoomId;
  readonly queue: RoomQueue;
  room: LiveRoom | undefined;
  /** Undefined while the worker is idle. */
  draining: Promise<void> | undefined;
}

const DEFAULT_CAPACITY = 2_000;
const MAX_BATCH = 256;
/** A write of many tasks; one alone may be larger. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;

/**
 * One worker per room that is written to: its queue orders all writes, local and federated. Whatever waits is decided in
 * turn, each task on top of the last, and appended in one write. Another process that wrote to the same room is noticed by
 * the expected revision: the worker reads what is new and decides again (`LostRaces` says for how long).
 */
export class RoomWorkers {
  readonly #busy = new Map<RoomId, Worker>();
  readonly #idle: LruCache<RoomId, LiveRoom>;
  /** How much goes into one write: less where the log has refused more. */
  #maxBatchBytes = MAX_BATCH_BYTES;

  constructor(private readonly options: RoomWorkersOptions) {
    this.#idle = new LruCache(options.capacity ?? DEFAULT_CAPACITY);
  }

  /**
   * Runs a task with the right to append to a room that exists. Settles when what it appended is durable. Throws what the
   * task throws (then nothing of it was appended), as `askFirst`, and M_FORBIDDEN for a room that this server does not have
   * (`unknownRoom`). A task may be run more than once: where others wrote meanwhile, and where there is a policy.
   */
  run<T>(roomId: RoomId, context: FactContext, task: RoomTask<T>): Promise<TurnResult<T>> {
    return this.#askAndEnqueue(roomId, context, task);
  }

  /** As `run`, for what another server tells: what users here do comes in between. */
  receive<T>(roomId: RoomId, context: FactContext, task: RoomTask<T>): Promise<TurnResult<T>> {
    return this.#askAndEnqueue(roomId, context, task, { isOthers: true });
  }

  /**
   * Looks at a room as the log has it now, whatever other processes have written: also at one that is being joined. It appends
   * nothing. undefined where the log does not have the room.
   */
  async look<T>(roomId: RoomId, look: (turn: RoomTurn) => Promise<T>): Promise<T | undefined> {
    try {
      return (await this.#enqueue(roomId, { actor: 'server' }, look, { isOfJoin: true, isFresh: true })).result;
    } catch (error) {
      if (error instanceof UnknownRoom) return undefined;
      throw error;
    }
  }

  /**
   * As `run`, for a task of a join that brings a room here. `seed` is the room before its create event, for the task that may begin
   * it; without one this throws M_FORBIDDEN too where the log does not have the room.
   */
  join<T>(roomId: RoomId, context: FactContext, task: RoomTask<T>, seed?: LiveRoom): Promise<TurnResult<T>> {
    return this.#enqueue(roomId, context, task, { seed, isOfJoin: true });
  }

  /** As `run`, for a room that is about to begin: `seed` is the room before its create event. */
  create<T>(seed: LiveRoom, context: FactContext, task: RoomTask<T>): Promise<TurnResult<T>> {
    const worker = this.#busy.get(seed.roomId);
    if (worker !== undefined || this.#idle.get(seed.roomId) !== undefined) {
      return Promise.reject(new MatrixError('M_UNKNOWN', 'This room exists already', { status: 409 }));
    }
    return this.#askAndEnqueue(seed.roomId, context, task, { begins: seed });
  }

  /** The version of a room that is here, where the room is in memory: it never changes, so nothing has to be waited for. */
  findVersion(roomId: RoomId): RoomVersion | undefined {
    const head = (this.#busy.get(roomId)?.room ?? this.#idle.get(roomId))?.head;
    return head !== undefined && head.revision >= 0 && isHere(head) ? head.version : undefined;
  }

  /** Settles when no room has work under way and every room worth it has a snapshot. */
  async close(): Promise<void> {
    while (this.#busy.size > 0) await Promise.all([...this.#busy.values()].map((worker) => worker.draining));
    await this.options.snapshots.settled();
  }

  /** Nest's end of life: nothing is cut off. */
  onModuleDestroy(): Promise<void> {
    return this.close();
  }

  /** For metrics: of the rooms in memory, those that have no work under way. */
  get numbers(): CacheNumbers {
    return this.#idle.numbers;
  }

  #askAndEnqueue<T>(
    roomId: RoomId,
    context: FactContext,
    run: RoomTask<T>,
    how: Enqueuing = {},
  ): Promise<TurnResult<T>> {
    const { policy = allowAll } = this.options;
    // PERF: there is nobody to ask, mostly.
    if (policy === allowAll) return this.#enqueue(roomId, context, run, how);
    return askFirst(policy, (allowed) => this.#enqueue(roomId, context, run, { ...how, allowed }));
  }

  #enqueue<T>(
    roomId: RoomId,
    context: FactContext,
    run: RoomTask<T>,
    { allowed, begins, isOfJoin = false, isOthers = false, isFresh = false, seed }: Enqueuing,
  ): Promise<TurnResult<T>> {
    return new Promise((resolve, reject) => {
      let worker = this.#busy.get(roomId);
      if (worker === undefined) {
        worker = { roomId, queue: new RoomQueue(), room: begins ?? this.#idle.get(roomId), draining: undefined };
        this.#busy.set(roomId, worker);
      }
      const settles = { resolve: resolve as QueuedTask['resolve'], reject };
      worker.queue.push({ run, isOfJoin, isOthers, isFresh, seed, context, allowed, ...settles });
      worker.draining ??= this.#drain(worker);
    });
  }

  async #drain(worker: Worker): Promise<void> {
    // PERF: what arrives in this turn of the event loop joins the first batch, rather than waiting for the disk behind it.
    await nextTurn();
    while (worker.queue.size > 0) {
      const tasks = worker.queue.take(MAX_BATCH);
      try {
        await this.#work(worker, tasks);
      } catch (error) {
        // What the log made of the batch is not known: forget the room, read it again for the next task.
        worker.room = undefined;
        for (const task of tasks) task.reject(error);
      }
    }
    this.#busy.delete(worker.roomId);
    // PERF: the facts it has noted would stay in memory; where it is asked for again the log tells what the views lack then.
    if (worker.room !== undefined) worker.room.graph = undefined;
    if (worker.room !== undefined && worker.room.head.revision >= 0) this.#idle.set(worker.roomId, worker.room);
    else this.#idle.delete(worker.roomId);
  }

  /**
   * Decides and appends a batch; in several writes where it is too large for one. A refusal, or having nothing to append, only stands
   * when it was decided upon the newest state: what is appended tells by itself that nobody was faster.
   */
  async #work(worker: Worker, tasks: readonly QueuedTask[]): Promise<void> {
    const races = new LostRaces();
    let isNewest = worker.room === undefined;
    if (worker.room !== undefined && tasks.some((task) => mustCatchUp(task, worker.room!))) {
      worker.room = await this.#catchUp(worker.room, worker.roomId);
      isNewest = true;
    }
    for (let done = 0; done < tasks.length;) {
      const left = tasks.slice(done);
      worker.room ??= (await this.#load(worker.roomId)) ?? left[0]!.seed;
      const { room } = worker;
      if (room === undefined) {
        const seeded = left.findIndex(({ seed }) => seed !== undefined);
        const unknown = seeded < 0 ? left : left.slice(0, seeded);
        for (const task of unknown) task.reject(unknownRoom());
        done += unknown.length;
        continue;
      }
      const batch = await decideBatch(this.options, room, left, this.#maxBatchBytes);
      // What was decided because of rows that were thrown away meanwhile is not done, nor answered.
      await room.graph?.confirm();
      if (batch.facts.length === 0 && !isNewest && room.head.revision >= 0) {
        const { revision } = room.head;
        worker.room = await this.#catchUp(room, worker.roomId);
        isNewest = true;
        if (worker.room!.head.revision > revision) continue;
      }
      try {
        const position = await this.#append(room, batch);
        batch.ends.forEach((end, i) => settle(left[i] as QueuedTask, end, position));
        // Whoever came meanwhile has their turn before the rest.
        return worker.queue.putBack(tasks.slice(done + batch.ends.length));
      } catch (error) {
        if (error instanceof AppendTooLarge) {
          done += this.#takeRefusal(left, batch, error);
          continue;
        }
        if (!(error instanceof RevisionConflict)) throw error;
        const isUnbegun = room.head.revision < 0;
        // A room that was to be made here exists already: its making cannot be decided again, as a join of it can.
        if (isUnbegun && room !== left[0]!.seed) throw error;
        await races.endure(error);
        worker.room = isUnbegun ? undefined : await this.#catchUp(room, worker.roomId);
      }
    }
  }

  /**
   * Learns from a refusal how much the log takes at once. Nothing of the batch was appended: fewer tasks are tried next. A
   * task that is too large all by itself is refused. Answers how many tasks are done with.
   */
  #takeRefusal(tasks: readonly QueuedTask[], batch: Batch, error: AppendTooLarge): number {
    // What the log counts besides the facts' data is not known exactly: half of what it takes is surely taken.
    this.#maxBatchBytes = Math.min(this.#maxBatchBytes, Math.max(error.limit, 2) / 2, batch.bytes / 2);
    if (batch.writers > 1) return 0;
    batch.ends.forEach((end, i) =>
      settle(tasks[i] as QueuedTask, 'wrote' in end && end.wrote ? { error } : end, undefined),
    );
    return batch.ends.length;
  }

  async #append(room: LiveRoom, batch: Batch): Promise<Position | undefined> {
    if (batch.facts.length === 0) return undefined;
    const { store, snapshots } = this.options;
    const facts = sealFacts(
      room.chain,
      batch.facts.map(({ draft }) => draft),
    );
    const stream = roomStream(room.roomId);
    const recorded: RecordedFact[] = [];
    for (const some of inWrites(facts)) {
      const expected = room.head.revision < 0 ? 'no-stream' : room.head.revision;
      const { position } = await store.append(stream, expected, some);
      for (const written of some) {
        const { fact, head } = batch.facts[recorded.length]!;
        // The position of the last of them is no less than that of each: all that the room needs of it.
        recorded.push({ stream, revision: head.revision, position, ...written });
        evolveRoom(room, fact, wholeOf(recorded), head);
      }
    }
    remember(room, batch.undurable);
    snapshots.consider(room);
    return recorded.at(-1)!.position;
  }

  async #load(roomId: RoomId): Promise<LiveRoom | undefined> {
    return this.#catchUp(await this.options.snapshots.find(roomId), roomId);
  }

  async #catchUp(room: LiveRoom | undefined, roomId: RoomId): Promise<LiveRoom | undefined> {
    const from = room === undefined ? 0 : room.head.revision + 1;
    for await (const fact of this.options.store.readStream(roomStream(roomId), { from })) {
      if (room === undefined && isGoing(fact)) continue;
      room = room === undefined || isPurgedSince(room, fact) ? roomBefore(roomId, fact) : room;
      if (fact.revision !== room.head.revision + 1)
        throw new Error(`${fact.stream}: revision ${fact.revision} is out of turn`);
      // What another process wrote may be news of events that are here.
      room.known.clear();
      evolveRoom(room, readRoomFact(roomId, fact), fact);
      room.readUpTo = fact.position;
    }
    return room;
  }
}
