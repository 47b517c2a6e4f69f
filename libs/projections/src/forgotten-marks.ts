import { Aggregates } from '#event-store/aggregates';
import type { EventStore, NewFact } from '#event-store/event-store';
import { LogHistory } from '#event-store/log-history';
import { draftOf } from '#event-store/seal-facts';
import type { Clock } from '#kernel/clock';
import { laterOf, type Position, START } from '#kernel/position';
import { SharedRuns } from '#kernel/shared-runs';
import { FORGOTTEN_STREAM, type RemovalsForgotten } from './forgotten-facts.js';

type UpTo = RemovalsForgotten['up_to'];

/** What is before so many facts of the stream goes from the log. */
const FACTS_PER_TRUNCATION = 16;

/**
 * Notes in the log up to where it forgets what took rows away, before it does: so views that were put back from a copy of before are known (`findForgotten`). One number
 * for each projection, which grows. Each time is noted, also where the number stays: by that a copy is known of what had just begun to be filled. Those that come together are noted once.
 */
export class ForgottenMarks {
  readonly #marks: Aggregates<UpTo>;
  /** What is to be noted, and by the next run is. */
  #due = new Map<string, Position>();
  readonly #notes: SharedRuns<void>;
  #history = LogHistory.UNBROKEN;

  constructor(
    private readonly store: EventStore,
    clock: Clock,
  ) {
    const fold = { initialState: {}, evolve: (_: UpTo, fact: NewFact) => upToOf(fact), newestOnly: true } as const;
    this.#marks = new Aggregates<UpTo>({ store, clock, capacity: 1, ...fold });
    this.#notes = new SharedRuns(() => this.#noteDue());
  }

  /** All that these projections write has passed the position, and is kept. Throws where the log is away. */
  note(names: readonly string[], position: Position, history: LogHistory): Promise<void> {
    for (const name of names) this.#due.set(name, laterOf(position, this.#due.get(name) ?? START));
    this.#history = history;
    return this.#notes.run();
  }

  async #noteDue(): Promise<void> {
    const history = this.#history;
    const due = this.#due;
    this.#due = new Map();
    const { revision } = await this.#marks.execute(
      FORGOTTEN_STREAM,
      (upTo) => {
        const more = [...due].map(
          ([name, position]) => [name, history.format(laterOf(position, placeWithin(upTo[name], history)))] as const,
        );
        const data: RemovalsForgotten = { up_to: { ...upTo, ...Object.fromEntries(more) } };
        return [draftOf({ type: 'removals-forgotten', data })];
      },
      { actor: 'server' },
    );
    const isDue = typeof revision === 'number' && revision > 0 && revision % FACTS_PER_TRUNCATION === 0;
    // What is left where the log is away just now goes the next time.
    if (isDue) await this.store.truncate(FORGOTTEN_STREAM, revision).catch(() => {});
  }
}

/** What a log says of what it has forgotten. */
export interface Forgotten {
  /** Up to where that may have taken rows away, by the name of the projection. */
  readonly upTo: ReadonlyMap<string, Position>;
  /** What tells the fact that noted that last from all others, of any log; empty where there is none. */
  readonly last: string;
}

/** Reads what was noted last. */
export async function findForgotten(store: Pick<EventStore, 'readStream'>, history: LogHistory): Promise<Forgotten> {
  for await (const fact of store.readStream(FORGOTTEN_STREAM, { backwards: true, limit: 1 })) {
    const upTo = Object.entries(upToOf(fact)).map(([name, place]) => [name, placeWithin(place, history)] as const);
    return { upTo: new Map(upTo), last: fact.metadata.chain };
  }
  return { upTo: new Map(), last: '' };
}

function upToOf({ data }: Pick<NewFact, 'data'>): UpTo {
  return (JSON.parse(data) as RemovalsForgotten).up_to; // written by ForgottenMarks
}

function placeWithin(text: string | undefined, history: LogHistory): Position {
  const place = text === undefined ? undefined : history.findWithin(text);
  return typeof place === 'string' ? place : START;
}
