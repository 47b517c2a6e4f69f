import { Inject, Injectable } from '@nestjs/common';
import { draftFacts } from '#accounts/accounts';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { draftOf } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { UpstreamSessions } from '#sso/admission/upstream-sessions';
import { decideUpstreamSignOut, findOverSignIns, foldSignIn, NO_SIGN_INS, type SignIns } from './decide/sign-ins.js';
import { nameOfSignInFact, type SignInFact, signInsStream } from './facts/sign-in-facts.js';

/** How many users' stay folded in memory. */
const CAPACITY = 2_000;
/** What a stream ends with of which nothing counts. */
const SAYS_NOTHING = 'key-reset-used' satisfies SignInFact['type'];

/** What users let browsers and applications do: a stream for each, which is kept short. No view shows it: it is asked of the log's fold. */
@Injectable()
export class KeptSignIns {
  readonly #streams: Aggregates<SignIns>;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(UpstreamSessions) sessions: Pick<UpstreamSessions, 'add'>,
  ) {
    const fold = { initialState: NO_SIGN_INS, evolve: foldSignIn };
    const shortening = { lastOfEach: nameOfSignInFact, findOver: findOverSignIns };
    this.#streams = new Aggregates({ store, clock, capacity: CAPACITY, ...fold, ...shortening });
    sessions.add(async (userId, of) => void (await this.change(userId, (state) => decideUpstreamSignOut(state, of))));
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  async of(userId: UserId): Promise<SignIns> {
    return (await this.#streams.load(signInsStream(userId))).state;
  }

  /** Appends what `decide` answers, and answers whether that was anything. Throws what `decide` throws. */
  async change(
    userId: UserId,
    decide: (state: SignIns) => readonly SignInFact[],
    correlation?: string,
  ): Promise<boolean> {
    const cause: Cause = { actor: userId, ...(correlation === undefined ? {} : { correlation }) };
    const { facts } = await this.#streams.execute(signInsStream(userId), (state) => draftFacts(decide(state)), cause);
    return facts.length > 0;
  }

  /** Lets go of all of it, with the account: what is left says nothing. Answers whether there was anything. */
  end(userId: UserId, cause: Cause): Promise<boolean> {
    return this.#streams.end(signInsStream(userId), draftOf({ type: SAYS_NOTHING, data: {} }), cause);
  }
}
