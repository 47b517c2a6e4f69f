import type { RecordedFact } from '#event-store/event-store';
import type { Position } from '#kernel/position';
import type { ReadModelStore, Write } from '#read-models/read-model-store';
import type { Generation } from './generation.js';
import { RUNTIME_COLLECTION } from './projection-records.js';

/** A fact that a projector could not take. The views of that projector lack it until they are rebuilt. */
export interface DeadLetter {
  readonly projection: string;
  readonly version: number;
  readonly generation: number;
  readonly stream: string;
  readonly revision: number;
  readonly position: Position;
  readonly type: string;
  readonly error: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

const MOST_LISTED = 1000;

/** Makes a dead letter of a fact. */
export function deadLetterOf(generation: Generation, fact: RecordedFact, error: unknown, at: number): DeadLetter {
  const { stream, revision, position, type } = fact;
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const { owner: projection, version } = generation;
  return {
    projection,
    version,
    generation: generation.generation,
    stream,
    revision,
    position,
    type,
    error: reason,
    at,
  };
}

/** The write that keeps it; the same fact again is the same row. */
export function deadLetterWrite(letter: DeadLetter): Write {
  const key = [...prefixOf(letter.projection, letter.generation), letter.position];
  return { collection: RUNTIME_COLLECTION, key, value: JSON.stringify(letter) };
}

/** The dead letters of one generation, oldest first, at most a thousand. */
export async function listDeadLetters(store: ReadModelStore, generation: Generation): Promise<DeadLetter[]> {
  const prefix = prefixOf(generation.owner, generation.generation);
  const rows = await store.scan(RUNTIME_COLLECTION, { prefix, limit: MOST_LISTED });
  return rows.map((row) => JSON.parse(row.value) as DeadLetter); // written by `deadLetterWrite`
}

/** The writes that remove the dead letters of a generation that is dropped. */
export async function forgetDeadLetters(store: ReadModelStore, generation: Generation): Promise<Write[]> {
  const prefix = prefixOf(generation.owner, generation.generation);
  const rows = await store.scan(RUNTIME_COLLECTION, { prefix, limit: 1_000_000 });
  return rows.map(({ key }) => ({ collection: RUNTIME_COLLECTION, key, value: null }));
}

function prefixOf(projection: string, generation: number): string[] {
  return ['dead-letter', projection, String(generation)];
}
