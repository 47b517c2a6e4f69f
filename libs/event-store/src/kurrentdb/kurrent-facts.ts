import type { BinaryEventData, ResolvedEvent } from '@kurrent/kurrentdb-client';
import type { FactMetadata, NewFact, RecordedFact } from '../event-store.js';
import { positionOfCommit } from './commit-position.js';

const encoder = new TextEncoder();
/** For an event without a position: as old servers answer it. */
const UNKNOWN_POSITION = 0xffffffffffffffffn;

/**
 * The event for a fact. Its content type is binary although it holds JSON: the client parses JSON events, which loses the
 * spelling of numbers.
 */
export function eventOf(fact: NewFact): BinaryEventData {
  return {
    id: fact.id,
    type: fact.type,
    contentType: 'application/octet-stream',
    data: encoder.encode(fact.data),
    metadata: encoder.encode(JSON.stringify(fact.metadata)),
  };
}

/** The fact that an event holds; undefined for an event that is no longer there. */
export function factOf({ event }: ResolvedEvent, nameFromServer: (name: string) => string): RecordedFact | undefined {
  if (event === undefined) return undefined;
  const data = event.data as Uint8Array;
  return {
    id: event.id,
    type: event.type,
    data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8'),
    metadata: event.metadata as unknown as FactMetadata,
    stream: nameFromServer(event.streamId),
    revision: Number(event.revision),
    position: positionOfCommit(event.position?.commit ?? UNKNOWN_POSITION),
  };
}
