import { EventStoreUnavailable } from '#event-store/event-store-errors';
import type { EventId } from '#kernel/ids';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import type { DecidedEvent, EventDraft } from '../decide/decide-event.js';
import type { RoomHead } from '../decide/room-head.js';
import { PolicyRefused } from '../policy-refused.js';
import { isBeyondPolicy, type Policy, policyEventIdOf, type PolicyQuestion } from '../room-policy.js';
import { withPolicySignature } from '../receive/with-policy-signature.js';

/** After so many times the room changes too fast: each time a task wanted to append other events than those that were asked for. */
const MOST_ASKED = 10;

/** An event that a task would append. */
export interface ForeseenEvent {
  readonly decided: DecidedEvent;
  /** What it was decided of, and where the room stood then; undefined of one that the task was given. */
  readonly draft?: string;
  readonly standing?: string;
  /** The state event that the policy was asked by. */
  readonly policyId?: EventId | undefined;
}

/** What the policy is asked by. */
type Asking = Omit<PolicyQuestion, 'isOwn'>;

/** Ends a turn of which nothing is appended: the policy was not asked for all that it would append. */
class PolicyUnasked extends Error {
  constructor(
    readonly events: readonly ForeseenEvent[],
    readonly asking: Asking,
  ) {
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
  let allowed: ForeseenEvent[] = [];
  for (let tries = 0; tries < MOST_ASKED; tries++) {
    try {
      return await attempt([...allowed]);
    } catch (error) {
      if (!(error instanceof PolicyUnasked)) throw error;
      const asked = await ask(policy, error);
      const names = new Set(asked.map(({ decided }) => decided.event.eventId));
      allowed = [...allowed.filter(({ decided }) => !names.has(decided.event.eventId)), ...asked];
    }
  }
  throw new EventStoreUnavailable('the room changes faster than its policy can be asked');
}

/** Asks for some events, at once; answers them as they may be appended. */
async function ask(policy: Policy, { events, asking }: PolicyUnasked): Promise<ForeseenEvent[]> {
  const question = { ...asking, isOwn: true };
  const verdicts = await Promise.all(events.map(({ decided }) => policy(decided.event, question)));
  return verdicts.map((verdict, i) => {
    if (!verdict.isAllowed) throw new PolicyRefused('M_FORBIDDEN', verdict.reason);
    const { decided, ...foreseen } = events[i]!;
    const { signed } = verdict;
    const event = signed === undefined ? {} : withPolicySignature(decided.event, signed, asking.version);
    return { ...foreseen, decided: { ...decided, ...event }, policyId: asking.policyEvent?.eventId };
  });
}

/** The events of one run of a task, by what the policy said of those of earlier runs. */
export class Foresight {
  readonly #left: ForeseenEvent[];
  readonly #allowed: ReadonlyMap<EventId, ForeseenEvent>;
  readonly #decided = new Map<EventId, ForeseenEvent>();
  readonly #unasked: ForeseenEvent[] = [];

  /** `policyId`: the state event by which the policy would be asked now; what it said by another one does not count. */
  constructor(
    allowed: readonly ForeseenEvent[],
    readonly policyId: EventId | undefined,
  ) {
    this.#left = [...allowed];
    // Those that are to be asked for again are the events of the same drafts.
    for (const one of allowed) this.#decided.set(one.decided.event.eventId, one);
    const current = allowed.filter((one) => one.policyId === policyId);
    this.#allowed = new Map(current.map((one) => [one.decided.event.eventId, one]));
  }

  /** PERF: none of a room that has no policy, which pays for one look into its state. */
  static of(allowed: readonly ForeseenEvent[], policy: Policy | undefined, state: StateTrie): Foresight | undefined {
    return policy?.concerns?.(state) === false ? undefined : new Foresight(allowed, policyEventIdOf(state));
  }

  /** Whether nothing was accepted that nobody was asked for. */
  get isAsked(): boolean {
    return this.#unasked.length === 0;
  }

  /** An event that is allowed, with the signature that says so. */
  findSigned(eventId: EventId): Pick<DecidedEvent, 'event' | 'pduText'> | undefined {
    const decided = this.#allowed.get(eventId)?.decided;
    return decided && { event: decided.event, pduText: decided.pduText };
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
    const { event } = decided;
    const { eventId } = event;
    if (!isBeyondPolicy(event) && !this.#allowed.has(eventId))
      this.#unasked.push(this.#decided.get(eventId) ?? { decided });
  }

  /** Ends the turn where it accepted what nobody was asked for. */
  requireAsked(asking: Asking): void {
    if (!this.isAsked) throw new PolicyUnasked(this.#unasked, asking);
  }
}

/** All of a room's head that an event is decided by. */
export function standingOf({ state, extremities }: RoomHead): string {
  return [state.rootHash, ...extremities.map(({ eventId }) => eventId)].join(' ');
}
