import type { RecordedFact } from '#event-store/event-store';
import { positionOf } from './position-of.js';
import { BatchRows } from '#projections/batch-rows';
import { projectFacts } from '#projections/project-facts';
import type { Projector } from '#projections/projector';
import { Turn } from '#projections/turn';
import type { Write } from '#read-models/read-model-store';
import type { PlainFact } from './given.js';
import { MemoryReadModels } from './memory-read-models.js';

/** A fact of a stream, as a test of projectors writes it. */
export interface StreamFact extends PlainFact {
  readonly stream: string;
  readonly at?: number;
  /** Where the part of its text begins that may be erased; without it none may. */
  readonly erasable?: number;
}

/** Facts as the log would hand them out: position and revision by their order, milliseconds 1, 2, 3 … where none are given. */
export function recordFacts(facts: readonly StreamFact[]): RecordedFact[] {
  const revisions = new Map<string, number>();
  return facts.map(({ stream, type, data, at, erasable }, i) => {
    const revision = revisions.get(stream) ?? 0;
    revisions.set(stream, revision + 1);
    return {
      id: `00000000-0000-5000-8000-${String(i).padStart(12, '0')}`,
      type,
      data: JSON.stringify(data),
      metadata: {
        at: at ?? i + 1,
        actor: 'server',
        schema: 1,
        chain: '',
        ...(erasable === undefined ? {} : { erasable }),
      },
      stream,
      revision,
      position: positionOf(i + 1),
    };
  });
}

function refuse(_fact: RecordedFact, error: unknown): never {
  throw error;
}

/** Applies recorded facts, in batches of `batch`, to the rows in `store`. Throws what the projector throws. */
export async function applyFacts(
  projector: Projector,
  facts: readonly RecordedFact[],
  store: MemoryReadModels,
  batch = facts.length || 1,
): Promise<void> {
  for (let i = 0; i < facts.length; i += batch) {
    await store.write(await writesOf(projector, facts.slice(i, i + batch), store));
  }
}

async function writesOf(
  projector: Projector,
  facts: readonly RecordedFact[],
  store: MemoryReadModels,
): Promise<readonly Write[]> {
  const rows = new BatchRows(store, new Map(projector.collections.map((name) => [name, name])));
  await projectFacts(projector, facts, rows, refuse, new Turn());
  return rows.writes;
}

/** All rows of a projector's collections: `collection key/parts` -> value, parsed where it is JSON (an event row is two). */
export async function rowsOf(projector: Projector, store: MemoryReadModels): Promise<Record<string, unknown>> {
  const rows: Record<string, unknown> = {};
  for (const collection of projector.collections) {
    for (const { key, value } of await store.scan(collection, { limit: 10_000 })) {
      rows[`${collection} ${key.join(' ')}`] = /^[[{][^\n]*$/.test(value) ? (JSON.parse(value) as unknown) : value;
    }
  }
  return rows;
}

/**
 * The rows that the facts make. Throws where that depends on how they are batched, or where applying any of them, and all
 * that follow it, once more makes a difference.
 */
export async function project(projector: Projector, facts: readonly StreamFact[]): Promise<Record<string, unknown>> {
  const recorded = recordFacts(facts);
  const store = new MemoryReadModels();
  await applyFacts(projector, recorded, store);
  const rows = await rowsOf(projector, store);
  const single = new MemoryReadModels();
  await applyFacts(projector, recorded, single, 1);
  await checkSame(projector, rows, single, 'one fact a batch');
  for (let from = recorded.length - 1; from >= 0; from--) {
    await applyFacts(projector, recorded.slice(from), store);
    await checkSame(projector, rows, store, `applied again from fact ${from + 1}`);
  }
  return rows;
}

async function checkSame(
  projector: Projector,
  rows: Record<string, unknown>,
  store: MemoryReadModels,
  what: string,
): Promise<void> {
  const [expected, actual] = [JSON.stringify(rows), JSON.stringify(await rowsOf(projector, store))];
  if (expected !== actual) throw new Error(`${what}: ${actual} instead of ${expected}`);
}
