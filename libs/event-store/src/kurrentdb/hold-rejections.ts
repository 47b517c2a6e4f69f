import type { Writable } from 'node:stream';
import type { KurrentDBClient } from '@kurrent/kurrentdb-client';

/** Messages that may wait in a stream of appends. Each is one append: what bounds them is who waits for them. */
const MOST_WAITING = 100_000;

/** What the library keeps to itself, as far as it is used here. */
interface Internals {
  disposableStreams: Set<Writable>;
  handleError: (client: unknown, error: Error) => Promise<void>;
}

/**
 * Holds the promises of a client that nobody else holds. The library (1.3) rejects them when a node is lost: those of appends
 * that its own queue for a stream holds back (`backpressuredWrite` within an async executor), and that of looking for another
 * node while one is looked for already. Each would be logged as a bug of ours, or end a process that listens to none. The
 * queue stays empty where the stream never says that it is full.
 */
export function holdRejections(client: KurrentDBClient): KurrentDBClient {
  const internals = client as unknown as Internals;
  const { handleError } = internals;
  internals.handleError = (grpc, error) => handleError(grpc, error).catch(() => {});
  internals.disposableStreams = new PatientStreams();
  return client;
}

/** The streams of a client, none of which asks its writers to wait. */
class PatientStreams extends Set<Writable> {
  override add(stream: Writable): this {
    const { _writableState: state } = stream as unknown as { readonly _writableState?: { highWaterMark: number } };
    if (state !== undefined) state.highWaterMark = MOST_WAITING;
    return super.add(stream);
  }
}
