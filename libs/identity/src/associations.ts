import { Inject, Injectable } from '@nestjs/common';
import type { Threepid } from '#accounts/threepids/threepid';
import { CONFIG, type Config } from '#config/config';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { CacheNumbers } from '#kernel/lru-cache';
import { VIEWS, type Views } from '#projections/views';
import { signJson } from '#protocol/signing/sign-json';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import {
  decideAssociation,
  decideEnd,
  foldAssociation,
  type Holder,
  holderAt,
  NO_HOLDER,
} from './decide/association.js';
import { draftIdentityFacts } from './facts/draft-identity-facts.js';
import { decideEndLearnt, decideLearnt, type ToldAssociation, type ToldEnd } from './decide/learn-association.js';
import { associationStream, associationStreamOf, type IdentityFact, threepidHash } from './facts/identity-facts.js';
import { ASSOCIATIONS } from './projections/identity.projector.js';

const CAPACITY = 1_000;

/** Whose mail addresses and phone numbers are, as this identity server vouches for it: identity service API, "Establishing associations". */
@Injectable()
export class Associations {
  readonly #streams: Aggregates<Holder>;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Inject(SIGNING_KEY) private readonly key: SigningKey,
  ) {
    this.#streams = new Aggregates({
      store,
      clock,
      capacity: CAPACITY,
      initialState: NO_HOLDER,
      evolve: foldAssociation,
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** Makes an identifier a user's, to whom it was shown to belong. Whose it was before has it no more. */
  async bind(threepid: Threepid, userId: UserId): Promise<void> {
    await this.#change(threepid, userId, (holder, saying) => decideAssociation(holder, threepid, userId, saying));
  }

  /** Ends that it is the user's. Nothing where it is not, which nobody is told. */
  async unbind(threepid: Threepid, userId: UserId): Promise<void> {
    await this.#change(threepid, userId, (holder, saying) => decideEnd(holder, threepid, userId, saying));
  }

  /** Takes what a trusted identity server says, where it counts. Answers whether anything changed. */
  learn(told: ToldAssociation): Promise<boolean> {
    return this.#learn(threepidHash(told.of), told.by, (holder) => decideLearnt(holder, told));
  }

  /** The same of an end, of an identifier by its hash. */
  learnEnd(hash: string, told: ToldEnd): Promise<boolean> {
    return this.#learn(hash, told.by, (holder) => decideEndLearnt(holder, told));
  }

  /** Ends all that are the user's, as the views have them. Answers whether there was any. Looks at all there are: accounts seldom end. */
  async endAll(userId: UserId): Promise<boolean> {
    let hadAny = false;
    for await (const page of ASSOCIATIONS.pages(this.views, {})) {
      for (const { key, value } of page) {
        if (value.mxid !== userId) continue;
        await this.unbind({ medium: key[0], address: key[1] }, userId);
        hadAny = true;
      }
    }
    return hadAny;
  }

  /** Whose an identifier is by now, by its hash, as the log has it. */
  async holderOf(hash: string): Promise<Holder> {
    return holderAt((await this.#streams.load(associationStreamOf(hash))).state, this.clock.now());
  }

  /** Whose it is, as a signed document: identity service API, `POST /3pid/bind`. Undefined where it is nobody's. */
  async find({ medium, address }: Threepid): Promise<JsonObject | undefined> {
    const row = await ASSOCIATIONS.get(this.views, [medium, address]);
    return row === undefined ? undefined : signJson({ medium, address, ...row }, this.config.serverName, this.key);
  }

  async #learn(hash: string, actor: ServerName, decide: (holder: Holder) => IdentityFact[]): Promise<boolean> {
    const stream = associationStreamOf(hash);
    const { facts } = await this.#streams.execute(stream, (holder) => draftIdentityFacts(decide(holder)), { actor });
    return facts.length > 0;
  }

  async #change(
    threepid: Threepid,
    actor: UserId,
    decide: (holder: Holder, saying: { by: Config['serverName']; now: number }) => IdentityFact[],
  ): Promise<void> {
    const saying = { by: this.config.serverName, now: this.clock.now() };
    const { position, facts } = await this.#streams.execute(
      associationStream(threepid),
      (holder) => draftIdentityFacts(decide(holder, saying)),
      { actor },
    );
    if (facts.length > 0) await this.views.whenProcessed(position, [ASSOCIATIONS.name]);
  }
}
