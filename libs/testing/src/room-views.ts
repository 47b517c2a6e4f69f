import { directoryProjectors } from '#directory/projections/directory-projectors';
import { federationProjectors } from '#federation/projections/federation-projectors';
import type { RecordedFact } from '#event-store/event-store';
import { LogHistory } from '#event-store/log-history';
import { type Position, START } from '#kernel/position';
import type { Projector } from '#projections/projector';
import { TodaysEventStore } from '#event-store/todays-event-store';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import type { Views } from '#projections/views';
import type { Key, ReadModelStore, Row, ScanOptions } from '#read-models/read-model-store';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { roomProjectors } from '#rooms/projections/room-projectors';
import { BatchRows } from '#projections/batch-rows';
import { projectFacts } from '#projections/project-facts';
import { Turn } from '#projections/turn';
import type { MemoryEventStore } from './memory-event-store.js';
import { MemoryReadModels } from './memory-read-models.js';

/** The views of rooms and of the directory over a log in memory. They follow it when told to. */
export class RoomViews implements Views {
  history = LogHistory.UNBROKEN;
  readonly #projectors: readonly Projector[] = listProjectors();
  /** What happens while a command waits for the views. */
  beforeProcessed: (() => Promise<void>) | undefined;
  #position: Position = START;
  #following: Promise<unknown> = Promise.resolve();
  /** The log as the server reads and writes it. */
  readonly today: TodaysEventStore;

  constructor(
    readonly log: MemoryEventStore,
    readonly store: ReadModelStore = new MemoryReadModels(),
  ) {
    this.today = new TodaysEventStore(log, FACT_SHAPES, ROOM_PARTS);
  }

  /** Applies every fact that the views do not have yet; one call after another. */
  async follow(): Promise<this> {
    await (this.#following = this.#following.then(() => this.#apply()));
    return this;
  }

  async #apply(): Promise<void> {
    const facts: RecordedFact[] = [];
    for await (const batch of this.today.readAll({ after: this.#position })) facts.push(...batch);
    for (const projector of this.#projectors) {
      const rows = new BatchRows(this.store, new Map(projector.collections.map((name) => [name, name])));
      const refuse = (_fact: unknown, error: unknown): never => {
        throw error;
      };
      await projectFacts(projector, facts, rows, refuse, new Turn());
      await this.store.write(rows.writes);
    }
    this.#position = facts.at(-1)?.position ?? this.#position;
  }

  get(collection: string, key: Key): Promise<string | undefined> {
    return this.store.get(collection, key);
  }

  getMany(collection: string, keys: readonly Key[]): Promise<(string | undefined)[]> {
    return this.store.getMany(collection, keys);
  }

  scan(collection: string, options: ScanOptions): Promise<Row[]> {
    return this.store.scan(collection, options);
  }

  confirm(): Promise<void> {
    return this.store.confirm();
  }

  position(): Position {
    return this.#position;
  }

  async whenProcessed(): Promise<void> {
    await this.beforeProcessed?.();
    await this.follow();
  }

  async whenKept(): Promise<void> {
    await this.follow();
  }

  async whenMoved(): Promise<Position> {
    await this.follow();
    return this.#position;
  }
}

function listProjectors(): readonly Projector[] {
  const reader = createRoomFactReader();
  return [...roomProjectors(reader), ...directoryProjectors(reader), ...federationProjectors(reader)];
}
