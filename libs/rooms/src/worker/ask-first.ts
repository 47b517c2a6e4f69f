import { EventStoreUnavailable } from '#event-store/event-store-errors';
import type { EventId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { DecidedEvent, EventDraft } from '../decide/decide-event.js';
import type { RoomHead } from '../decide/room-head.js';
import type { Policy } from '../receive/7-check-policy.js';

/** After so many times the room changes too fast: each time a task wanted to append other events than those that were asked for. */
const MOST_ASKED = 10;

/** An event that a task would append. */
export interface ForeseenEvent {
  readonly decided: DecidedEvent;
  /** What it was decided of, and where the room stood then; undefined of one that the task was given. */
  readonly draft?: string;
  readonly standing?: string;
}

/** Ends a turn of which nothing is appended: the policy was not asked for all that it would append. */
class PolicyUnasked extends Error {
  constructor(readonly events: readonly ForeseenEvent[]) {
    super('the policy was not asked for the events of a task');
  }
}

/**
 * Runs a task so that the policy is asked for each event of ours before it is appended, while nobody holds the room: what the task
 * would append is foreseen and asked for, and then the task is run again and appends those very events. Throws M_FORBIDDEN where
 * one is refused, EventStoreUnavailable where the room changes faster than can be asked (which is no refusal: whoever asked may come
 * back later), and what the policy throws; in all cases nothing is appended.
 */
export async function askFirst<T>(
  policy: Policy,
  attempt: (allowed: readonly ForeseenEvent[]) => Promise<T>,
): Promise<T> {
  const allowed: ForeseenEvent[] = [];
  for (let asked = 0; asked < MOST_ASKED; asked++) {
    try {
      return await attempt([...allowed]);
    } catch (error) {
      if (!(error instanceof PolicyUnasked)) throw error;
      await ask(policy, error.events);
      allowed.push(...error.events);
    }
  }
  throw new EventStoreUnavailable('the room changes faster than its policy can be asked');
}

/** Asks for some events, at once. */
async function ask(policy: Policy, events: readonly ForeseenEvent[]): Promise<void> {
  const verdicts = await Promise.all(events.map(({ decided }) => policy(decided.event)));
  for (const verdict of verdicts) if (!verdict.isAllowed) throw new MatrixError('M_FORBIDDEN', verdict.reason);
}

/** The events of one run of a task, by what the policy said of those of earlier runs. */
export class Foresight {
  readonly #left: ForeseenEvent[];
  readonly #allowed: ReadonlySet<EventId>;
  readonly #decided = new Map<EventId, ForeseenEvent>();
  readonly #unasked: ForeseenEvent[] = [];

  constructor(allowed: readonly ForeseenEvent[]) {
    this.#left = [...allowed];
    this.#allowed = new Set(allowed.map(({ decided }) => decided.event.eventId));
  }

  /** The event that was decided of this draft before, and is allowed; each once. */
  take(draft: EventDraft): ForeseenEvent | undefined {
    const text = JSON.stringify(draft);
    const at = this.#left.findIndex((one) => one.draft === text);
    return at < 0 ? undefined : this.#left.splice(at, 1)[0];
  }

  noteDecided(draft: EventDraft, head: RoomHead, decided: DecidedEvent): void {
    const foreseen = { decided, draft: JSON.stringify(draft), standing: standingOf(head) };
    this.#decided.set(decided.event.eventId, foreseen);
  }

  noteAccepted(decided: DecidedEvent): void {
    const { eventId } = decided.event;
    if (!this.#allowed.has(eventId)) this.#unasked.push(this.#decided.get(eventId) ?? { decided });
  }

  /** Ends the turn where it accepted what nobody was asked for. */
  requireAsked(): void {
    if (this.#unasked.length > 0) throw new PolicyUnasked(this.#unasked);
  }
}

/** All of a room's head that an event is decided by. */
export function standingOf({ state, extremities }: RoomHead): string {
  return [state.rootHash, ...extremities.map(({ eventId }) => eventId)].join(' ');
}
