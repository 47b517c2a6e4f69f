import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { RATE_LIMITS, type RateLimitClass } from '#config/rate-limits';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import type { RateLimit } from '#kernel/rate-limit';
import type { Requester } from '#kernel/requester';
import { shortHash } from '#kernel/short-hash';
import { addressParty } from './address-party.js';
import { earlinessOf, intervalOf, nextExpected } from './gcra.js';
import { isPublicAddress } from './outgoing/public-address.js';

/**
 * Whose requests are counted, and how many times the figures of the class they may come to: those of one device, of its user by all their
 * devices, of all users at one address. `caller`: another server, an address that nobody is known by, or what a domain counts by itself.
 */
export const PARTIES = Object.freeze({ caller: 1, device: 1, user: 2, address: 10 });
type Party = keyof typeof PARTIES;

/** Who asks, as far as limits go. */
export interface LimitedRequest {
  readonly ip: string;
  readonly requester?: Pick<Requester, 'userId' | 'deviceId' | 'appServiceId' | 'rateLimit'> | undefined;
}

/** How many parties of each kind each class remembers. Who is forgotten starts with a full burst: kind, and bounded. */
const MEMORY = 20_000;

/** Of names that are longer a hash is kept. */
const LONGEST_NAME = 128;

/** When the next request of each is expected. */
type Expected = LruCache<string, number>;
type Meters = Readonly<Record<Party, Expected>>;

interface Meter {
  readonly party: Party;
  readonly name: string;
  readonly limit: RateLimit;
}

/** What became of a request: `wait` milliseconds until there may be one like it, and by whose limit; 0 where it may go on. */
interface Verdict {
  readonly wait: number;
  readonly meter?: Meter;
}

const GRANTED: Verdict = Object.freeze({ wait: 0 });

/**
 * Counts requests by their class, by the generic cell rate algorithm (`gcra.ts`), towards clients and servers alike: a request goes on where
 * it is too early for none of its parties, and counts for none where it is refused. docs/rate-limits.md has the figures.
 */
@Injectable()
export class RateLimits {
  readonly #meters = new Map<RateLimitClass, Meters>();
  readonly #refusals = new Map<string, number>();
  /** The party of an address of the Internet; '' of others. PERF: asked for each request. */
  readonly #addresses = new LruCache<string, string>(MEMORY);

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'rateLimits' | 'rateLimitFigures'>,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
  ) {
    for (const name of Object.keys(RATE_LIMITS) as RateLimitClass[]) {
      const meter = (): Expected => new LruCache(MEMORY);
      this.#meters.set(name, { caller: meter(), device: meter(), user: meter(), address: meter() });
    }
  }

  /** For metrics, by name. */
  get caches(): Readonly<Record<string, CacheNumbers>> {
    const all = [...this.#meters].flatMap(([name, meters]) =>
      Object.entries(meters).map(([party, { numbers }]) => [`rate-limits-${name}-${party}`, numbers] as const),
    );
    return { ...Object.fromEntries(all), 'rate-limits-addresses': this.#addresses.numbers };
  }

  /** How many requests were refused so far, by class and party. */
  *refusals(): Generator<{ readonly class: string; readonly by: string; readonly number: number }> {
    for (const [key, number] of this.#refusals) {
      const [name = '', by = ''] = key.split(' ');
      yield { class: name, by, number };
    }
  }

  /** The figures of a class. */
  limitOf(name: RateLimitClass): RateLimit {
    return (this.config.rateLimitFigures ?? RATE_LIMITS)[name];
  }

  /** Counts a request by all of its parties. Throws M_LIMIT_EXCEEDED. */
  checkRequest(name: RateLimitClass, request: LimitedRequest): void {
    this.#checked(name, this.#takeAll(name, this.#metersOf(name, request)));
  }

  /** As `take`, where there has to be one. Throws M_LIMIT_EXCEEDED. */
  check(name: RateLimitClass, caller: string): void {
    this.#checked(name, this.#takeAll(name, [{ party: 'caller', name: caller, limit: this.limitOf(name) }]));
  }

  /** Counts one request of a caller: 0 where it may go on, else the milliseconds until there may be one. */
  take(name: RateLimitClass, caller: string): number {
    return this.#takeAll(name, [{ party: 'caller', name: caller, limit: this.limitOf(name) }]).wait;
  }

  /** As `take`, of what is done for a user by no device of theirs; it counts among what they do. `own`: their own limit, where they have one. */
  takeForUser(name: RateLimitClass, userId: string, own?: RateLimit): number {
    return this.#takeAll(name, [{ party: 'user', name: userId, limit: this.#limitOfUser(name, own) }]).wait;
  }

  /** As `takeForUser`. Throws M_LIMIT_EXCEEDED. */
  checkForUser(name: RateLimitClass, userId: string, own?: RateLimit): void {
    this.#checked(name, this.#takeAll(name, [{ party: 'user', name: userId, limit: this.#limitOfUser(name, own) }]));
  }

  /**
   * Counts what somebody asks for of whom nothing is known but where they are, and who they say they are: as a user by both together, so that nobody is counted for
   * another, and with all others at that address, of whatever network, who are not known. Throws M_LIMIT_EXCEEDED.
   */
  checkForClaimed(name: RateLimitClass, claimed: string, ip: string): void {
    const from = addressParty(ip);
    const ofAddress = multiply(this.limitOf(name), PARTIES.address);
    const meters: Meter[] = [
      { party: 'user', name: `${claimed} from ${from}`, limit: this.#limitOfUser(name, undefined) },
      { party: 'address', name: `unknown from ${from}`, limit: ofAddress },
    ];
    this.#checked(name, this.#takeAll(name, meters));
  }

  /** Takes back what `take` or `check` counted. */
  giveBack(name: RateLimitClass, caller: string): void {
    const expected = this.#metersNamed(name).caller;
    const key = keptAs(caller);
    const at = expected.get(key);
    if (at !== undefined) expected.set(key, at - intervalOf(this.limitOf(name)));
  }

  /**
   * The limits that hold for a request. Of a user with a limit of their own theirs alone. An address counts where it is one of the Internet:
   * others may be a proxy's that everybody comes by. A service's requests all come from where it is.
   */
  #metersOf(name: RateLimitClass, { ip, requester }: LimitedRequest): Meter[] {
    const limit = this.limitOf(name);
    if (requester === undefined) return [{ party: 'caller', name: addressParty(ip), limit }];
    const { userId, deviceId, appServiceId, rateLimit: own } = requester;
    const ofUser = { party: 'user', name: userId, limit: this.#limitOfUser(name, own) } as const;
    if (own !== undefined) return [ofUser];
    const meters: Meter[] = [ofUser];
    if (deviceId !== '') meters.push({ party: 'device', name: `${userId} ${deviceId}`, limit });
    const address = appServiceId === undefined ? this.#publicParty(ip) : '';
    if (address !== '') meters.push({ party: 'address', name: address, limit: multiply(limit, PARTIES.address) });
    return meters;
  }

  #limitOfUser(name: RateLimitClass, own: RateLimit | undefined): RateLimit {
    return own ?? multiply(this.limitOf(name), PARTIES.user);
  }

  #publicParty(ip: string): string {
    let party = this.#addresses.get(ip);
    if (party === undefined) this.#addresses.set(ip, (party = isPublicAddress(ip) ? addressParty(ip) : ''));
    return party;
  }

  #takeAll(name: RateLimitClass, meters: readonly Meter[]): Verdict {
    if (!this.config.rateLimits) return GRANTED;
    const now = this.stopwatch.elapsed();
    const kept = this.#metersNamed(name);
    let refused: Verdict = GRANTED;
    for (const meter of meters) {
      const wait = isLifted(meter.limit) ? 0 : earlinessOf(kept[meter.party].get(keptAs(meter.name)), now, meter.limit);
      if (wait > refused.wait) refused = { wait, meter };
    }
    if (refused.meter !== undefined) {
      const key = `${name} ${refused.meter.party}`;
      this.#refusals.set(key, (this.#refusals.get(key) ?? 0) + 1);
      return refused;
    }
    for (const { party, name: of, limit } of meters) {
      const key = keptAs(of);
      if (!isLifted(limit)) kept[party].set(key, nextExpected(kept[party].peek(key), now, limit));
    }
    return GRANTED;
  }

  #metersNamed(name: RateLimitClass): Meters {
    return this.#meters.get(name)!; // all classes have theirs
  }

  #checked(name: RateLimitClass, { wait, meter }: Verdict): void {
    if (meter === undefined) return;
    throw limitExceeded(wait, name, meter);
  }
}

/** The key of a refusal that says which limit it was, and its figures. */
export const LIMIT = 'dev.annals.limit';

/** What stands there. */
export interface LimitBody {
  readonly class: string;
  readonly by: string;
  readonly burst: number;
  readonly per_second: number;
}

/** Client-server API, "Rate limiting"; with the figures of the limit. */
function limitExceeded(wait: number, name: RateLimitClass, { party, limit: { burst, perSecond } }: Meter): MatrixError {
  const limit = { class: name, by: party, burst, per_second: perSecond };
  return new MatrixError('M_LIMIT_EXCEEDED', undefined, {
    fields: { retry_after_ms: Math.ceil(wait), [LIMIT]: limit },
  });
}

/**
 * What a party is kept as. Some names have in them what a client sent, as long as a request may be: kept as they are, those of one class could come to more
 * than the server has memory.
 */
export const keptAs = (name: string): string => (name.length > LONGEST_NAME ? shortHash(name) : name);

/** An operator has lifted it: Synapse's admin API, "Override ratelimiting for users". */
const isLifted = ({ perSecond }: RateLimit): boolean => perSecond === 0;

const multiply = ({ burst, perSecond }: RateLimit, by: number): RateLimit => ({
  burst: burst * by,
  perSecond: perSecond * by,
});
