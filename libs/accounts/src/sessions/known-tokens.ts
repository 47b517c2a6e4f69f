import { Inject, Injectable, Logger } from '@nestjs/common';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { AccessTokens, Connection } from '#http/access-tokens';
import { CLOCK, type Clock } from '#kernel/clock';
import type { DeviceId, UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import { type Position, START } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import { SharedRuns } from '#kernel/shared-runs';
import type { Collection } from '#projections/collection';
import type { Listener } from '#projections/listener';
import { VIEWS, type Views } from '#projections/views';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { Accounts } from '../accounts.js';
import { hashSecret } from '../credentials/secrets.js';
import { type DeviceRecord, validPairs } from '../decide/device-tokens.js';
import { userLocked } from '#kernel/user-locked';
import { userIdOfStream } from '#kernel/user-stream';
import type { AccountFact } from '../facts/account-facts.js';
import { ACCOUNTS } from '../projections/accounts.projector.js';
import { DEVICES, TOKENS } from '../projections/devices.projector.js';
import { noteConnection } from './note-connection.js';
import { ownRateLimit } from './own-rate-limit.js';
import { type Holder, rightsOf } from './rights-of.js';
import { TokenConfirmation } from './token-confirmation.js';
import { TokenRights } from './token-rights.js';
import { TokensOfUsers } from './tokens-of-users.js';

interface KnownToken {
  readonly requester: Requester;
  /** The answer, made once. */
  readonly answer: Promise<Requester>;
  readonly expiresAt: number;
  /** Whether its first use has still to be noted in the log. */
  pending: boolean;
  lastSeen: number;
  /** By what its last request came: in memory alone. */
  ip: string | undefined;
  userAgent: string | undefined;
}

/** How a device was seen last, as far as this process remembers. */
export interface Seen {
  /** In milliseconds since the epoch. */
  readonly at: number;
  readonly ip: string | undefined;
  readonly userAgent: string | undefined;
}

/** The facts after which what is known of a user's tokens may be wrong. */
export const FORGETTING: ReadonlySet<string> = new Set<AccountFact['type']>([
  'device-added',
  'devices-removed',
  'tokens-refreshed',
  'tokens-confirmed',
  'account-deactivated',
  'account-reopened',
  'admin-changed',
  'guest-upgraded',
  'account-locked',
  'account-unlocked',
  'account-suspended',
  'account-unsuspended',
  'rate-limit-overridden',
  'rate-limit-restored',
  'terms-accepted',
]);

const CAPACITY = 50_000;
const EXPIRED = Object.freeze({ fields: Object.freeze({ soft_logout: true }) });

/** The refusal of a token that is over while its session is not: its client keeps what it has (client-server API, "Soft logout"). */
export const tokenExpired = (): MatrixError =>
  new MatrixError('M_UNKNOWN_TOKEN', 'The access token has expired', EXPIRED);

/**
 * Whom access tokens stand for: the first step of nearly every request. A cache of token hashes, 50,000 of them, before the
 * view `tokens`; its only owner is this class, which forgets a user's tokens upon the facts that touch them.
 * PERF: a known token costs one sha256 and two look-ups in memory.
 */
@Injectable()
export class KnownTokens implements AccessTokens, Listener {
  readonly name = 'known-tokens';
  readonly reads = [TOKENS.name, ACCOUNTS.name, DEVICES.name];
  readonly #known = new TokensOfUsers<KnownToken>(CAPACITY);
  /** However many tokens come that nobody knows, the log is read for one of them at a time: no limit of rates comes before that. */
  readonly #heads = new SharedRuns(() => this.store.head());
  readonly #log = new Logger('tokens');
  #heard: Position = START;

  constructor(
    @Inject(VIEWS) private readonly views: Pick<Views, 'get' | 'position' | 'confirm' | 'whenProcessed'>,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly confirmation: TokenConfirmation,
    private readonly accounts: Accounts,
    @Inject(EVENT_STORE) private readonly store: Pick<EventStore, 'head'>,
    private readonly rights: TokenRights,
  ) {}

  /** See AccessTokens. */
  async holderOfExpired(token: string): Promise<Requester> {
    const hash = hashSecret(token);
    const { requester } = this.#known.get(hash) ?? (await this.#lookUp(hash));
    if (!this.rights.isOpen(requester)) throw new MatrixError('M_UNKNOWN_TOKEN');
    return requester;
  }

  /** See AccessTokens. Throws M_UNKNOWN_TOKEN; with `soft_logout` where the token has expired and can be refreshed. */
  requesterOf(token: string, connection?: Connection): Promise<Requester> {
    const hash = hashSecret(token);
    const known = this.#known.get(hash);
    if (known === undefined) return this.#lookUp(hash).then((found) => this.#seen(hash, found, connection));
    return this.#seen(hash, known, connection);
  }

  /** See AccessTokens. */
  async validUntil(token: string): Promise<number> {
    const hash = hashSecret(token);
    const { expiresAt, requester } = this.#known.get(hash) ?? (await this.#lookUp(hash));
    if (!this.rights.isOpen(requester)) throw new MatrixError('M_UNKNOWN_TOKEN');
    if (requester.isLocked === true) throw userLocked();
    if (expiresAt <= this.clock.now()) throw tokenExpired();
    return expiresAt;
  }

  /**
   * What the views say of a token, of whichever kind. Throws M_UNKNOWN_TOKEN where there is none; but ViewsUnavailable where they lack what
   * the log has, and it may be new, or were dropped a moment ago, and as the log does where that is away: a client that hears that there
   * is none ends its session, and lets go of its keys.
   */
  async getRow<R>(collection: Collection<readonly [hash: string], R>, hash: string): Promise<R> {
    const at = this.views.position([collection.name]);
    const row = await collection.get(this.views, [hash]);
    return row ?? (await this.#getLateRow(collection, hash, at)) ?? this.#refuse();
  }

  /** How this process last saw a request of the device; undefined where it remembers none. */
  lastSeen(userId: UserId, deviceId: DeviceId): Seen | undefined {
    let last: KnownToken | undefined;
    for (const known of this.#known.listOf(userId)) {
      if (known.requester.deviceId !== deviceId) continue;
      if (last === undefined || known.lastSeen > last.lastSeen) last = known;
    }
    return last === undefined ? undefined : { at: last.lastSeen, ip: last.ip, userAgent: last.userAgent };
  }

  begin(after: Position): void {
    this.#heard = after;
  }

  hear(facts: readonly RecordedFact[]): void {
    this.#heard = facts.at(-1)?.position ?? this.#heard;
    for (const fact of facts) if (FORGETTING.has(fact.type)) this.#known.forget(userIdOfStream(fact.stream));
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#known.numbers;
  }

  /**
   * Looks for a token once more where the log is further than the views were (`at`): whoever gave it waited for them for some seconds
   * only. Undefined where there is none; throws ViewsUnavailable where they do not get there.
   */
  async #getLateRow<R>(
    collection: Collection<readonly [hash: string], R>,
    hash: string,
    at: Position,
  ): Promise<R | undefined> {
    const reads = [collection.name];
    const newest = await this.#newest();
    if (at >= newest) return undefined;
    await this.views.whenProcessed(newest, [...reads, ...this.reads]);
    const isBehind = this.views.position(reads) < newest;
    const row = await collection.get(this.views, [hash]);
    // Also of those that are paused: they are not waited for.
    if (row === undefined && isBehind)
      throw new ViewsUnavailable('the views of sessions are paused or late: tokens that are new are not known yet');
    return row;
  }

  /** The last fact that there is. */
  async #newest(): Promise<Position> {
    const head = await this.#heads.run();
    return head > this.#heard ? head : this.#heard;
  }

  /** Rows that are gone look like sessions that are. */
  async #refuse(): Promise<never> {
    await this.views.confirm();
    throw new MatrixError('M_UNKNOWN_TOKEN');
  }

  /** Views that are paused lack what was heard already: nobody tells when they have it, and whoever asks is looked up again. */
  get #areBehind(): boolean {
    return this.views.position(this.reads) < this.#heard;
  }

  #seen(hash: string, known: KnownToken, connection: Connection | undefined): Promise<Requester> {
    const now = this.clock.now();
    if (!this.rights.isOpen(known.requester)) return Promise.reject(new MatrixError('M_UNKNOWN_TOKEN'));
    if (known.expiresAt <= now) return Promise.reject(tokenExpired());
    known.lastSeen = now;
    if (connection !== undefined) noteConnection(known, connection);
    if (known.pending) this.#confirm(hash, known);
    return known.answer;
  }

  async #lookUp(hash: string): Promise<KnownToken> {
    const { epoch } = this.#known;
    const row = await this.getRow(TOKENS, hash);
    const { user: userId, device: deviceId } = row;
    const viewed = this.#areBehind ? undefined : await this.#holder(userId, deviceId, hash);
    const holder = viewed ?? (await this.#holderInLog(userId, deviceId, hash)) ?? (await this.#refuse());
    const requester: Requester = Object.freeze({ userId, deviceId, ...rightsOf(holder), requestId: '' });
    const known: KnownToken = {
      requester,
      answer: Promise.resolve(requester),
      expiresAt: row.expires_at ?? Infinity,
      pending: row.pending ?? false,
      lastSeen: 0,
      ip: undefined,
      userAgent: undefined,
    };
    if (viewed !== undefined) this.#known.remember(hash, userId, known, epoch);
    return known;
  }

  /** Undefined where the views know of none whose token it is. */
  async #holder(userId: UserId, deviceId: DeviceId, hash: string): Promise<Holder | undefined> {
    const [account, device] = await Promise.all([
      ACCOUNTS.get(this.views, [userId]),
      DEVICES.get(this.views, [userId, deviceId]),
    ]);
    if (account === undefined || !hasToken(device, hash)) return undefined;
    return this.rights.holderOf(userId, account, device, ownRateLimit(account.rate_limit));
  }

  /**
   * As `#holder`, of the log: sessions end at once while views are paused, and are there at once where the views of accounts do not have
   * yet what those of devices have.
   */
  async #holderInLog(userId: UserId, deviceId: DeviceId, hash: string): Promise<Holder | undefined> {
    const account = await this.accounts.load(userId);
    const device = account.devices.get(deviceId);
    return account.exists && hasToken(device, hash)
      ? this.rights.holderOf(userId, account, device, ownRateLimit(account.rateLimit))
      : undefined;
  }

  #confirm(hash: string, known: KnownToken): void {
    known.pending = false;
    const { userId, deviceId } = known.requester;
    this.confirmation.confirm(userId, deviceId, hash).catch((error: unknown) => {
      known.pending = true;
      this.#log.error({ err: error, userId }, 'the first use of a refreshed token was not noted');
    });
  }
}

/**
 * Whether a token is one of its device's. The row of a token alone says nothing: in a store without transactions a crash may
 * have kept it, while that of the device, by which it would have been found, is gone.
 */
function hasToken(device: DeviceRecord | undefined, hash: string): boolean {
  return device !== undefined && validPairs(device).some((pair) => pair.token_hash === hash);
}
