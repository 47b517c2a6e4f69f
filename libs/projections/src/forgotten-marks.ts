import { Aggregates } from '#event-store/aggregates';
import type { EventStore, NewFact } from '#event-store/event-store';
import type { LogHistory } from '#event-store/log-history';
import { draftOf } from '#event-store/seal-facts';
import type { Clock } from '#kernel/clock';
import { type Position, START } from '#kernel/position';
import { FORGOTTEN_STREAM, type RemovalsForgotten } from './forgotten-facts.js';

type UpTo = RemovalsForgotten['up_to'];

/** What is before so many facts of the stream goes from the log. */
const FACTS_PER_TRUNCATION = 16;

/**
 * Notes in the log up to where it forgets what took rows away, before it does: so views that were put back from a copy of before are known (`findForgotten`). One number
 * for each projection, which grows: what it covers already is not noted again.
 */
export class ForgottenMarks {
  readonly #marks: Aggregates<UpTo>;

  constructor(
    private readonly store: EventStore,
    clock: Clock,
  ) {
    const fold = { initialState: {}, evolve: (_: UpTo, fact: NewFact) => upToOf(fact), newestOnly: true } as const;
    this.#marks = new Aggregates<UpTo>({ store, clock, capacity: 1, ...fold });
  }

  /** All that these projections write has passed the position, and is kept. Throws where the log is away. */
  async note(names: readonly string[], position: Position, history: LogHistory): Promise<void> {
    const { facts, revision } = await this.#marks.execute(
      FORGOTTEN_STREAM,
      (upTo) => {
        const behind = names.filter((name) => placeOf(upTo[name], history) < position);
        if (behind.length === 0) return [];
        const more = Object.fromEntries(behind.map((name) => [name, history.format(position)]));
        const data: RemovalsForgotten = { up_to: { ...upTo, ...more } };
        return [draftOf({ type: 'removals-forgotten', data })];
      },
      { actor: 'server' },
    );
    const isDue = facts.length > 0 && typeof revision === 'number' && revision % FACTS_PER_TRUNCATION === 0;
    // What is left where the log is away just now goes the next time.
    if (isDue) await this.store.truncate(FORGOTTEN_STREAM, revision).catch(() => {});
  }
}

/** Up to where the log may have forgotten what took rows away, by the name of the projection. */
export async function findForgotten(
  store: Pick<EventStore, 'readStream'>,
  history: LogHistory,
): Promise<ReadonlyMap<string, Position>> {
  for await (const fact of store.readStream(FORGOTTEN_STREAM, { backwards: true, limit: 1 }))
    return new Map(Object.entries(upToOf(fact)).map(([name, place]) => [name, placeOf(place, history)]));
  return new Map();
}

function upToOf({ data }: Pick<NewFact, 'data'>): UpTo {
  return (JSON.parse(data) as RemovalsForgotten).up_to; // written by ForgottenMarks
}

/** Of a log that this one is a copy of it says nothing here: no views of this one are from before it was made. */
function placeOf(text: string | undefined, history: LogHistory): Position {
  const place = text === undefined ? undefined : history.find(text)?.place;
  return typeof place === 'string' ? place : START;
}
