import { Inject, Injectable } from '@nestjs/common';
import type { Threepid } from '#accounts/threepids/threepid';
import { BY_SERVER } from '#accounts/accounts';
import { CONFIG, type Config } from '#config/config';
import { Aggregates, type Executed } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { KeyedNames } from '#event-store/keyed-names';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import { awaitShown, getShown } from '#projections/await-shown';
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
  type Saying,
} from '../decide/association.js';
import { draftIdentityFacts } from '../facts/draft-identity-facts.js';
import {
  decideEndLearnt,
  decideLearnt,
  isOvertaken,
  type ToldAssociation,
  type ToldEnd,
} from '../decide/learn-association.js';
import {
  associationStream,
  endedAssociationStream,
  type IdentityFact,
  identifierName,
  makeAssociationId,
} from '../facts/identity-facts.js';
import { ASSOCIATION_IDS, ASSOCIATIONS, saidOfAssociation } from '../projections/identity.projector.js';

const CAPACITY = 1_000;
const ENDS_CAPACITY = 1_000;

/**
 * Whose mail addresses and phone numbers are, as this identity server vouches for it: identity service API, "Establishing associations". By an association's own id
 * other identity servers are told of its end, and nothing that stays in the log says what it was of, nor of whom.
 */
@Injectable()
export class Associations {
  readonly #streams: Aggregates<Holder>;
  /** Whether it is said of associations that they are over, by their ids. */
  readonly #ends: Aggregates<boolean>;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Inject(SIGNING_KEY) private readonly key: SigningKey,
    private readonly names: KeyedNames,
  ) {
    const fold = { initialState: NO_HOLDER, evolve: foldAssociation };
    this.#streams = new Aggregates({ store, clock, capacity: CAPACITY, ...fold });
    const isSaid = { initialState: false, evolve: () => true };
    this.#ends = new Aggregates({ store, clock, capacity: ENDS_CAPACITY, ...isSaid });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** The same of what is known to be over. */
  get ends(): { readonly numbers: CacheNumbers } {
    return this.#ends;
  }

  /** As `holderOf`, by the identifier itself. Throws as `#whereIs`. */
  async findHolder(threepid: Threepid): Promise<Holder> {
    return this.holderOf(await this.#whereIs(threepid));
  }

  /** What stands for an identifier, in names. */
  nameOf(threepid: Threepid): string {
    return identifierName(this.names, threepid);
  }

  /** Makes an identifier a user's, to whom it was shown to belong. Whose it was before has it no more. */
  async bind(threepid: Threepid, userId: UserId): Promise<void> {
    const wanted = { id: makeAssociationId(), of: threepid, mxid: userId };
    await this.#change(threepid, (holder, saying) => decideAssociation(holder, wanted, saying));
  }

  /** Ends that it is the user's. Nothing where it is not, which nobody is told. */
  async unbind(threepid: Threepid, userId: UserId): Promise<void> {
    await this.#change(threepid, (holder, saying) => decideEnd(holder, userId, saying));
  }

  /** Takes what a trusted identity server says, where it counts. Answers whether anything changed. */
  async learn(told: ToldAssociation): Promise<boolean> {
    const { association_id: id, by } = told;
    const name = await this.#whereIs(told.of);
    const isOver = await this.#isOver(id);
    const { state, facts } = await this.#decide(name, by, (holder) => decideLearnt(holder, told, isOver));
    if (facts.length > 0) {
      // The end may have been heard since it was looked whether it was.
      if (!isOver && (await this.#isOver(id))) await this.#decide(name, by, (holder) => decideEndLearnt(holder, told));
      return true;
    }
    if (isOver || !isOvertaken(state, told)) return false;
    await this.#noteOver(id, { type: 'association-overtaken', data: { ts: state.ours!.ts } }, BY_SERVER.actor); // it is newer
    return true;
  }

  /**
   * The same of an end. What it is of may not be known here yet, or never. Answers whether anything changed of whose an identifier is. Throws ViewsUnavailable where
   * that cannot be told yet.
   */
  async learnEnd(told: ToldEnd): Promise<boolean> {
    const { association_id: id, ts, by } = told;
    const position = await this.#noteOver(id, { type: 'association-end-heard', data: { ts, by } }, by);
    // What was learnt before that is shown by then; what is learnt later heeds it.
    await awaitShown(this.views, ASSOCIATION_IDS.name, position, 'what associations are of');
    const known = await ASSOCIATION_IDS.get(this.views, [id]);
    if (known === undefined) return false;
    const { facts } = await this.#decide(known.name, by, (holder) => decideEndLearnt(holder, told));
    return facts.length > 0;
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

  /** Whose an identifier is by now, by its name, as the log has it. */
  async holderOf(name: string): Promise<Holder> {
    return holderAt((await this.#streams.load(associationStream(name))).state, this.clock.now());
  }

  /** Whose it is, as a signed document: identity service API, `POST /3pid/bind`. Undefined where it is nobody's. */
  async find(threepid: Threepid): Promise<JsonObject | undefined> {
    const { medium, address } = threepid;
    const row = await ASSOCIATIONS.get(this.views, [medium, address]);
    return row === undefined ? undefined : signJson(saidOfAssociation(threepid, row), this.config.serverName, this.key);
  }

  /** Under which name it stands: that of now, unless it is somebody's under one of a key that was lost. Throws ViewsUnavailable where the views do not show that. */
  async #whereIs(threepid: Threepid): Promise<string> {
    const name = this.nameOf(threepid);
    if (!this.names.areAnew) return name;
    const row = await getShown(this.views, this.store, ASSOCIATIONS, [threepid.medium, threepid.address]);
    return row?.name ?? name;
  }

  async #isOver(id: string): Promise<boolean> {
    return (await this.#ends.load(endedAssociationStream(id))).state;
  }

  /** Answers where that is said, now or before. */
  async #noteOver(id: string, fact: IdentityFact, actor: string): Promise<Position> {
    const decide = (isSaid: boolean) => draftIdentityFacts(isSaid ? [] : [fact]);
    return (await this.#ends.execute(endedAssociationStream(id), decide, { actor })).position;
  }

  #decide(name: string, actor: string, decide: (holder: Holder) => IdentityFact[]): Promise<Executed<Holder>> {
    return this.#streams.execute(associationStream(name), (holder) => draftIdentityFacts(decide(holder)), { actor });
  }

  /** Nothing says for good who asked for it. */
  async #change(threepid: Threepid, decide: (holder: Holder, saying: Saying) => IdentityFact[]): Promise<void> {
    const saying = { by: this.config.serverName, now: this.clock.now() };
    const name = await this.#whereIs(threepid);
    const { position, facts } = await this.#decide(name, BY_SERVER.actor, (holder) => decide(holder, saying));
    if (facts.length > 0) await this.views.whenProcessed(position, [ASSOCIATIONS.name]);
  }
}
