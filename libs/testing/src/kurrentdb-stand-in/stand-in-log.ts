import { EventEmitter } from 'node:events';

export interface StandInEvent {
  readonly id: string;
  readonly stream: string;
  readonly revision: number;
  readonly position: number;
  readonly metadata: ReadonlyMap<string, string>;
  readonly data: Uint8Array;
  readonly customMetadata: Uint8Array;
}

export type ProposedEvent = Pick<StandInEvent, 'id' | 'metadata' | 'data' | 'customMetadata'>;

/** The last revision the writer expects, or what the protocol offers beside. */
export type ExpectedState = number | 'no-stream' | 'any' | 'exists';

export type AppendOutcome =
  | { readonly kind: 'appended'; readonly revision: number; readonly position: number }
  | { readonly kind: 'conflict'; readonly actual: number | undefined }
  | { readonly kind: 'too-large'; readonly limit: number };

/** The most that the server can be told to allow (`--max-append-size 16777216`). */
const MAX_APPEND_BYTES = 16 * 1024 * 1024;
/** What it allows without being told. */
export const DEFAULT_APPEND_BYTES = 1024 * 1024;

/** The log of the stand-in, in memory, with the rules of EventStoreDB for appending. Emits `appended`. */
export class StandInLog extends EventEmitter<{ appended: [] }> {
  readonly events: StandInEvent[] = [];
  maxAppendBytes = MAX_APPEND_BYTES;
  readonly #streams = new Map<string, StandInEvent[]>();
  #end = 0;

  /** The events of a stream; undefined where there is none. */
  stream(name: string): readonly StandInEvent[] | undefined {
    return this.#streams.get(name);
  }

  /** The first revision that readers of a stream are given: the server is told so by `$tb` in the metadata of the stream. */
  firstOf(name: string): number {
    const told = this.#streams.get(`$$${name}`)?.at(-1);
    const { $tb = 0 } = (told === undefined ? {} : JSON.parse(Buffer.from(told.data).toString())) as { $tb?: number };
    return $tb;
  }

  append(name: string, expected: ExpectedState, proposed: readonly ProposedEvent[]): AppendOutcome {
    const bytes = proposed.reduce((sum, event) => sum + event.data.length + event.customMetadata.length, 0);
    if (bytes > this.maxAppendBytes) return { kind: 'too-large', limit: this.maxAppendBytes };
    const stream = this.#streams.get(name) ?? [];
    const last = stream.length - 1;
    const wanted = expected === 'any' ? last : expected === 'exists' ? Math.max(last, 0) : expected;
    const from = wanted === 'no-stream' ? -1 : wanted;
    if (from !== last) {
      const earlier = stream.slice(from + 1, from + 1 + proposed.length);
      const same = earlier.length === proposed.length && earlier.every((event, n) => event.id === proposed[n]!.id);
      if (!same) return { kind: 'conflict', actual: last < 0 ? undefined : last };
      const { revision, position } = earlier.at(-1)!;
      return { kind: 'appended', revision, position };
    }
    this.#streams.set(name, stream);
    for (const event of proposed) {
      // Positions are places in a file: they grow by the size of the record.
      this.#end += 120 + name.length + event.data.length + event.customMetadata.length;
      const recorded = { ...event, stream: name, revision: stream.length, position: this.#end };
      stream.push(recorded);
      this.events.push(recorded);
    }
    this.emit('appended');
    return { kind: 'appended', revision: stream.length - 1, position: this.#end };
  }

  /** The log as it is now, for a stand-in that is put back to this moment: what an operator copies of a server's database. */
  copy(): StandInLog {
    const copy = new StandInLog();
    copy.maxAppendBytes = this.maxAppendBytes;
    copy.#end = this.#end;
    copy.events.push(...this.events);
    for (const [name, events] of this.#streams) copy.#streams.set(name, [...events]);
    return copy;
  }

  /** Whether an event begins at the position. */
  hasPosition(position: number): boolean {
    return this.events[this.indexOf(position)]?.position === position;
  }

  /** The index of the first event at the position or behind it. */
  indexOf(position: number): number {
    let [low, high] = [0, this.events.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.events[middle]!.position < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
