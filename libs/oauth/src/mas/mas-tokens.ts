import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import { hashSecret } from '#accounts/credentials/secrets';
import { FORGETTING, tokenExpired } from '#accounts/sessions/known-tokens';
import { ownRateLimit } from '#accounts/sessions/own-rate-limit';
import { rightsOf } from '#accounts/sessions/rights-of';
import { SessionTokens } from '#accounts/sessions/session-tokens';
import { TokenRights } from '#accounts/sessions/token-rights';
import { TokensOfUsers } from '#accounts/sessions/tokens-of-users';
import { CONFIG, type Config } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import type { AccessTokens } from '#http/access-tokens';
import { CLOCK, type Clock } from '#kernel/clock';
import { type DeviceId, isUserId, type UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { RunsUnderWay } from '#kernel/runs-under-way';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { userLocked } from '#kernel/user-locked';
import { USER_STREAM_PREFIX, userIdOfStream } from '#kernel/user-stream';
import type { Listener } from '#projections/listener';
import { findDevice, isForApi } from '../decide/scope.js';
import { Mas } from './mas.js';

interface KnownToken {
  readonly requester: Requester;
  readonly answer: Promise<Requester>;
  readonly expiresAt: number;
  /** Until then the service is not asked again. */
  readonly askAgainAt: number;
}

/** Whose a token was when the service last knew it. */
interface Holder {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  readonly scope: string;
  /** When the token ends by itself; Infinity where it does not. */
  readonly expiresAt: number;
}

const CAPACITY = 50_000;
/** How long a token may be good here after the service has ended it by itself: where a session ends it takes the device away, which is heard at once. */
const TRUSTED_MS = 2 * 60 * 1000;
/** How many it did not know are remembered, for how long. */
const CAPACITY_OF_UNKNOWN = 10_000;
const UNKNOWN_MS = 10_000;
/** When it is looked again whether a token that it takes for none is of somebody whom it has locked, or whose session it has ended: it says so a moment later. */
const LOOKS_AFTER_MS = [0, 250, 750];

/**
 * Whom the tokens of a Matrix Authentication Service stand for: it is asked about each, and again after two minutes. What is known of the
 * account is this server's: a device that is gone has no session, whatever the service says.
 */
@Injectable()
export class MasTokens implements AccessTokens, Listener {
  readonly name = 'mas-tokens';
  readonly reads = [];
  readonly #known = new TokensOfUsers<KnownToken>(CAPACITY);
  readonly #holders = new LruCache<string, Holder>(CAPACITY);
  readonly #unknown = new LruCache<string, { readonly refusal: MatrixError; readonly until: number }>(
    CAPACITY_OF_UNKNOWN,
  );
  readonly #asked = new RunsUnderWay<string, KnownToken | MatrixError>();

  constructor(
    private readonly mas: Mas,
    private readonly accounts: Accounts,
    private readonly rights: TokenRights,
    sessions: SessionTokens,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {
    if (mas.isOn) sessions.trust(this);
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#known.numbers;
  }

  /** See AccessTokens. Throws M_UNKNOWN_TOKEN, with `soft_logout` where the token is known to have had its time, and M_UNKNOWN with status 503 where the service does not answer. */
  async requesterOf(token: string): Promise<Requester> {
    return (await this.#get(token)).answer;
  }

  /** See AccessTokens. Of a token that has expired the service says no more than of any that is none. */
  async holderOfExpired(): Promise<never> {
    throw new MatrixError('M_UNKNOWN_TOKEN');
  }

  /** See AccessTokens. Throws as `requesterOf`, and M_USER_LOCKED. */
  async validUntil(token: string): Promise<number> {
    const { expiresAt, requester } = await this.#get(token);
    if (requester.isLocked === true) throw userLocked();
    return expiresAt;
  }

  hear(facts: readonly RecordedFact[]): void {
    for (const { stream, type } of facts) {
      if (FORGETTING.has(type) && stream.startsWith(USER_STREAM_PREFIX)) this.#known.forget(userIdOfStream(stream));
    }
  }

  async #get(token: string): Promise<KnownToken> {
    const hash = hashSecret(token);
    const now = this.clock.now();
    const known = this.#known.get(hash);
    if (known !== undefined && known.askAgainAt > now && known.expiresAt > now) return known;
    const unknown = this.#unknown.get(hash);
    if (unknown !== undefined && unknown.until > now) throw unknown.refusal;
    const found = await this.#ask(hash, token);
    if (found instanceof MatrixError) throw found;
    // The service says how long it has yet in whole seconds: none in the last one.
    if (found.expiresAt <= this.clock.now()) throw tokenExpired();
    return found;
  }

  /** Once, however many requests come with it meanwhile. */
  #ask(hash: string, token: string): Promise<KnownToken | MatrixError> {
    return this.#asked.run(hash, () => this.#lookUp(hash, token));
  }

  /** Answers why it is refused where it is. */
  async #lookUp(hash: string, token: string): Promise<KnownToken | MatrixError> {
    const { active, scope, username, deviceId: named, expiresAt } = await this.mas.introspect(token);
    const userId = `@${username ?? ''}:${this.config.serverName}`;
    if (active && isForApi(scope) && isUserId(userId)) {
      const deviceId = (named ?? findDevice(scope) ?? '') as DeviceId; // What the service has made here, or none.
      const holder = { userId, deviceId, scope, expiresAt };
      this.#holders.set(hash, holder);
      return (await this.#knownOf(hash, holder, expiresAt)) ?? new MatrixError('M_UNKNOWN_TOKEN');
    }
    const holder = this.#holders.get(hash);
    const locked = holder && (await this.#lockedOf(hash, holder));
    if (locked !== undefined) return locked;
    const refusal = (await this.#hasExpired(holder)) ? tokenExpired() : new MatrixError('M_UNKNOWN_TOKEN');
    this.#unknown.set(hash, { refusal, until: this.clock.now() + UNKNOWN_MS });
    return refusal;
  }

  /** What is known by a token of whom the service has locked, also where it is yet to say so: a client that hears of no token lets go of its keys. */
  async #lockedOf(hash: string, holder: Holder): Promise<KnownToken | undefined> {
    for (const ms of LOOKS_AFTER_MS) {
      if (ms > 0) await delay(ms);
      const known = await this.#knownOf(hash, holder, Infinity, true);
      if (known !== undefined || holder.expiresAt <= this.clock.now() || !(await this.#hasDevice(holder))) return known;
    }
    return undefined;
  }

  async #hasDevice({ userId, deviceId }: Holder): Promise<boolean> {
    return (await this.accounts.load(userId)).devices.has(deviceId);
  }

  /** Whether the token had its time, and its session is there still. */
  async #hasExpired(holder: Holder | undefined): Promise<boolean> {
    return holder !== undefined && holder.expiresAt <= this.clock.now() && this.#hasDevice(holder);
  }

  /**
   * What is known by a token of somebody; undefined where the session is over. `lockedOnly`: the service takes the token for none, as it does all tokens of whom it
   * has locked: their client is to keep its session, where the device is there still.
   */
  async #knownOf(
    hash: string,
    { userId, deviceId, scope }: Holder,
    expiresAt: number,
    lockedOnly = false,
  ): Promise<KnownToken | undefined> {
    const { epoch } = this.#known;
    const account = await this.accounts.load(userId);
    const device = account.devices.get(deviceId);
    if (!account.exists || account.deactivated || (deviceId !== '' && device === undefined)) return undefined;
    if (lockedOnly && (!account.locked || deviceId === '')) return undefined;
    const holder = this.rights.holderOf(userId, account, device, ownRateLimit(account.rateLimit));
    // The service says who is an administrator: by the scope alone.
    const rights = rightsOf({ ...holder, isAdmin: true, openedBy: undefined, scope });
    const requester: Requester = Object.freeze({
      userId,
      deviceId,
      ...rights,
      isOfAuthService: true,
      requestId: '',
    });
    const askAgainAt = this.clock.now() + TRUSTED_MS;
    const known = { requester, answer: Promise.resolve(requester), expiresAt, askAgainAt };
    this.#known.remember(hash, userId, known, epoch);
    return known;
  }
}
