import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { OwnRows } from '#projections/projector';
import { depthKey, depthOfKey } from './event-place.js';
import { TOPOLOGY, type TopologyKey } from './timeline-collections.js';

const PAGE = 20;

/**
 * How deep the events of rooms go that came before a place of the log, as the rows of a batch tell it. PERF: the rows are looked through
 * once for each room of a batch, and what the batch adds is remembered with them: fifty events of one transaction need one look
 * (bench/federation.ts).
 */
export class DeepestBefore {
  readonly #known = new WeakMap<OwnRows, Map<RoomId, number | undefined>>();

  /** How deep the events go that came before a position, the next that is applied; undefined where there is none. */
  async find(roomId: RoomId, position: Position, rows: OwnRows): Promise<number | undefined> {
    const known = this.#known.get(rows);
    return known?.has(roomId) === true ? known.get(roomId) : this.#read(roomId, position, rows);
  }

  /** Notes an event that was applied, and of the room what was found before that, if anything was. Nothing that is done for it fails any more. */
  note(roomId: RoomId, depth: number, rows: OwnRows, found?: { readonly deepest: number | undefined }): void {
    let known = this.#known.get(rows);
    if (found === undefined && known?.has(roomId) !== true) return;
    if (known === undefined) this.#known.set(rows, (known = new Map()));
    const before = found === undefined ? known.get(roomId) : found.deepest;
    // As its key tells it.
    known.set(roomId, Math.max(before ?? -Infinity, depthOfKey(depthKey(depth))));
  }

  /** Nothing is known of a room any more. */
  forget(roomId: RoomId, rows: OwnRows): void {
    this.#known.get(rows)?.delete(roomId);
  }

  /** What came after the position is there only where facts are applied again. */
  async #read(roomId: RoomId, position: Position, rows: OwnRows): Promise<number | undefined> {
    let before: TopologyKey | undefined;
    // PERF: mostly the deepest of all came before it.
    for (let limit = 1; ; limit = PAGE) {
      const page = await TOPOLOGY.scan(rows, { prefix: [roomId], before, reverse: true, limit });
      const found = page.find(({ key }) => key[2] < position);
      if (found !== undefined || page.length < limit) return found && depthOfKey(found.key[1]);
      before = page.at(-1)!.key;
    }
  }
}
