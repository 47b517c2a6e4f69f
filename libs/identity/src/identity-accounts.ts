import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { hashSecret } from '#accounts/credentials/secrets';
import { Accounts } from '#accounts/accounts';
import { trustedSince } from '#accounts/sessions/trusted-since';
import { CONFIG, type Config } from '#config/config';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import { type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import {
  decideAcceptance,
  decideAccountEnd,
  decideIdentityReaders,
  decideKey,
  decideReadersLearnt,
  decideToken,
  decideTokenEnd,
  foldIdentityAccount,
  type IdentityAccount,
  NO_IDENTITY_ACCOUNT,
} from './decide/identity-account.js';
import { draftIdentityFacts } from './facts/draft-identity-facts.js';
import { type IdentityFact, type IdentityReader, identityAccountStream, type MasterKey, readIdentityFact } from './facts/identity-facts.js'; // prettier-ignore
import type { OpenIdUser } from './homeservers.js';
import {
  IDENTITY_PEOPLE,
  IDENTITY_TERMS,
  IDENTITY_TOKENS,
  type IdentityPersonRow,
  type IdentityTokenRow,
} from './projections/identity.projector.js';

const CAPACITY = 1_000;

/** Who uses the identity server: identity service API, "Authentication" and "Terms of service". */
@Injectable()
export class IdentityAccounts {
  readonly #streams: Aggregates<IdentityAccount>;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'identityRole' | 'serverName'>,
    private readonly homeAccounts: Accounts,
  ) {
    this.#streams = new Aggregates({
      store,
      clock,
      capacity: CAPACITY,
      initialState: NO_IDENTITY_ACCOUNT,
      evolve: foldIdentityAccount,
      lastOfEach: nameOfFact,
      findOver,
      // That a token has ended is among what is let go.
      whenKept: (position) => views.whenKept(position, [IDENTITY_TOKENS.name]),
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** A new token of a user, who has shown an OpenID token. */
  async issueToken({ userId, trustedSince: since }: OpenIdUser): Promise<string> {
    const token = `annals_it_${randomBytes(32).toString('base64url')}`;
    const issued = { token_hash: hashSecret(token), ...(since === undefined ? {} : { trusted_since: since }) };
    await this.#change(userId, (account) => decideToken(account, issued));
    return token;
  }

  /** Ends a token. */
  async endToken(userId: UserId, token: string): Promise<void> {
    await this.#change(userId, (account) => decideTokenEnd(account, hashSecret(token)));
  }

  /**
   * Ends all tokens of a user, and tells their key, and whom they let find them, to nobody any more. Answers whether there was anything. What was said of that before
   * is in the log until `forgetEnded`.
   */
  end(userId: UserId): Promise<boolean> {
    return this.#change(userId, decideAccountEnd);
  }

  /** Lets go of what was said of a user before it was over, once the views can do without it: that may take long. */
  forgetEnded(userId: UserId): Promise<void> {
    return this.#streams.shorten(identityAccountStream(userId));
  }

  /** Says who may find the user by their identifiers. */
  async setReaders(userId: UserId, readers: readonly IdentityReader[]): Promise<void> {
    await this.#change(userId, (account) => decideIdentityReaders(account, readers));
  }

  /** Takes what a user said of that to another identity server, which this one trusts. */
  async learnReaders(userId: UserId, by: ServerName, readers: readonly IdentityReader[]): Promise<void> {
    await this.#change(userId, (account) => decideReadersLearnt(account, by, readers));
  }

  /** Says which key is told of the user to whoever may find them; undefined: none. */
  async publishKey(userId: UserId, key: MasterKey | undefined): Promise<void> {
    await this.#change(userId, (account) => decideKey(account, key));
  }

  /** What the user says of how they are found. */
  async findPerson(userId: UserId): Promise<IdentityPersonRow> {
    return (await IDENTITY_PEOPLE.get(this.views, [userId])) ?? {};
  }

  /** Who has a token; undefined: nobody, or somebody of this homeserver for whom that would vouch no more. */
  async findByToken(token: string): Promise<UserId | undefined> {
    const row = await IDENTITY_TOKENS.get(this.views, [hashSecret(token)]);
    return row !== undefined && (await this.#isVouchedFor(row)) ? row.user : undefined;
  }

  /**
   * Of other homeservers that was asked when the token was made. Of this one the log says it: mails are sent in the name of who has the token, and that is nobody whose account
   * is gone, locked or suspended, nor who got it before the password was another, or all sessions ended.
   */
  async #isVouchedFor({ user, trusted_since: since }: IdentityTokenRow): Promise<boolean> {
    if (serverNameOf(user) !== this.config.serverName) return true;
    const account = await this.homeAccounts.load(user);
    const { exists, deactivated, locked, suspended } = account;
    return exists && !deactivated && !locked && !suspended && trustedSince(account) === since;
  }

  /** The user accepts terms, by their URLs. Others than this server has mean nothing, and are let be. */
  async acceptTerms(userId: UserId, urls: readonly string[]): Promise<void> {
    const { terms } = this.config.identityRole ?? {};
    const known = urls.filter((url) => url === terms?.url);
    await this.#change(userId, (account) => decideAcceptance(account, known));
  }

  /** Throws M_TERMS_NOT_SIGNED where there are terms that the user has not accepted. */
  async checkTerms(userId: UserId): Promise<void> {
    const { terms } = this.config.identityRole ?? {};
    if (terms === undefined) return;
    const accepted = await IDENTITY_TERMS.get(this.views, [userId]);
    if (accepted?.includes(terms.url) !== true) throw new MatrixError('M_TERMS_NOT_SIGNED');
  }

  /** Answers whether anything changed. */
  async #change(userId: UserId, decide: (account: IdentityAccount) => IdentityFact[]): Promise<boolean> {
    const { position, facts } = await this.#streams.execute(
      identityAccountStream(userId),
      (account) => draftIdentityFacts(decide(account)),
      { actor: userId },
    );
    if (facts.length > 0) await this.views.whenProcessed(position, [IDENTITY_TOKENS.name]);
    return facts.length > 0;
  }
}

/** Of which facts the last one counts. */
function nameOfFact(fact: Pick<RecordedFact, 'type' | 'data'>): string {
  const { type, data } = readIdentityFact(fact);
  if (type === 'identity-readers-learnt') return `${type} ${data.by}`;
  return type === 'identity-token-issued' || type === 'identity-token-ended' ? data.token_hash : type;
}

/** Tokens that have ended. */
function* findOver(counting: ReadonlyMap<string, RecordedFact>): Generator<string, void> {
  for (const [name, { type }] of counting) if (type === 'identity-token-ended') yield name;
}
