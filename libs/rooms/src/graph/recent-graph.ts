import type { EventStore } from '#event-store/event-store';
import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { BatchRows } from '#projections/batch-rows';
import type { Views } from '#projections/views';
import { roomStream } from '../facts/room-facts.js';
import { GRAPH_COLLECTIONS } from './graph-collections.js';
import { isOfGraph, projectGraph } from './project-graph.js';
import { RoomGraph } from './room-graph.js';
import type { GraphFact } from './write-graph.js';

/** Where the facts of a room are read that are neither noted nor in the views, and the views. */
export interface GraphSources {
  readonly store: Pick<EventStore, 'readStream'>;
  readonly views: Pick<Views, 'get' | 'scan' | 'position' | 'confirm'>;
}

/** Facts remembered before it is asked whether the views have passed them; and at most, where they have not. */
const KEPT = 1_024;
const MOST_KEPT = 16_384;

const OWN_NAMES: ReadonlyMap<string, string> = new Map(GRAPH_COLLECTIONS.map((name) => [name, name]));

/**
 * The graph of a room as of the last fact that was noted, which may be one that the views do not have: what came after some place
 * is taken into rows in memory, by the same code that makes the views, and the views tell the rest. Nothing is read or made
 * before it is asked for.
 */
export class RecentGraph {
  #facts: GraphFact[] = [];
  #since: Pick<GraphFact, 'revision' | 'position'>;
  /** How many facts have been forgotten whose rows are still in memory. */
  #forgotten = 0;
  #rows: BatchRows;
  /** The revision up to which facts are in `#rows`. */
  #taken = -1;
  #opening: Promise<unknown> = Promise.resolve();
  /** Whether what was read has to be confirmed before it counts. */
  #isUnsure = false;

  /** `since`: every fact after this place will be noted. */
  constructor(
    private readonly roomId: RoomId,
    since: Pick<GraphFact, 'revision' | 'position'>,
    private readonly sources: GraphSources,
  ) {
    this.#since = since;
    this.#rows = new BatchRows(sources.views, OWN_NAMES);
  }

  /** How many facts are remembered. */
  get size(): number {
    return this.#facts.length;
  }

  /** Notes the newest fact. Its position may be that of a later one which was appended together with it. */
  note(fact: GraphFact): void {
    if (!isOfGraph(fact.type)) return;
    this.#facts.push(fact);
    if (this.#facts.length > KEPT) this.#forget();
  }

  /** The graph with all that has been noted. Throws ViewsUnavailable where the views are needed and cannot be read. */
  open(): Promise<RoomGraph> {
    this.#isUnsure = true;
    const opened = this.#opening.then(() => this.#take());
    this.#opening = opened.catch(() => {});
    return opened;
  }

  /** Settles where all that was told since the last time still counts. Throws ViewsUnavailable: then nothing that is here does. */
  async confirm(): Promise<void> {
    if (!this.#isUnsure) return;
    await this.sources.views.confirm();
    this.#isUnsure = false;
  }

  async #take(): Promise<RoomGraph> {
    const viewed = this.sources.views.position(GRAPH_COLLECTIONS);
    if (viewed < this.#since.position) await this.#readAfter(viewed);
    if (this.#forgotten > KEPT) this.#beginAnew();
    const rows = this.#rows;
    let next = this.#facts.length;
    while (next > 0 && this.#facts[next - 1]!.revision > this.#taken) next--;
    for (const fact of this.#facts.slice(next)) {
      rows.begin();
      try {
        await projectGraph(fact, rows);
      } catch (error) {
        rows.undo();
        if (rows.failure !== undefined) {
          // The views could not be read, which is no fault of the fact and may be over the next time.
          this.#beginAnew();
          throw error;
        }
        // A fact that cannot be taken is a dead letter of the projector, which says so; the room goes on without it.
      }
      this.#taken = fact.revision;
    }
    return new RoomGraph(rows, this.roomId);
  }

  /** Remembers what the log has after a position too: the views have fallen behind what is remembered, or were so before. */
  async #readAfter(viewed: Position): Promise<void> {
    const earlier: GraphFact[] = [];
    let since: Pick<GraphFact, 'revision' | 'position'> = { revision: -1, position: viewed };
    const from = this.#since.revision;
    if (from >= 0) {
      for await (const fact of this.sources.store.readStream(roomStream(this.roomId), { from, backwards: true })) {
        if (fact.position <= viewed) {
          since = fact;
          break;
        }
        if (isOfGraph(fact.type)) earlier.push(fact);
      }
    }
    this.#facts = [...earlier.toReversed(), ...this.#facts];
    this.#since = { revision: since.revision, position: since.position };
    this.#beginAnew();
  }

  #beginAnew(): void {
    this.#rows = new BatchRows(this.sources.views, OWN_NAMES);
    this.#taken = -1;
    this.#forgotten = 0;
  }

  #forget(): void {
    const viewed = this.sources.views.position(GRAPH_COLLECTIONS);
    const firstKept = this.#facts.findIndex(({ position }) => position > viewed);
    const passed = firstKept < 0 ? this.#facts.length : firstKept;
    const count = Math.max(passed, this.#facts.length - MOST_KEPT);
    const last = this.#facts[count - 1];
    if (last === undefined) return;
    this.#facts = this.#facts.slice(count);
    this.#since = { revision: last.revision, position: last.position };
    this.#forgotten += count;
  }
}
