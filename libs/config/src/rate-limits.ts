import type { RateLimit } from '#kernel/rate-limit';
import type { Settings } from './settings.js';

/**
 * The classes of requests, and what of each one device, one address that nobody is known by, or one other server may do: strict where
 * passwords and accounts are at stake, moderate for what rooms receive, loose elsewhere. `password` counts the passwords that were wrong, by
 * the account that they were tried for, `mail` those who have mails sent, and the mails to one address; `text` is the same of messages to
 * phones, which cost money, and `all-texts` counts those of this server in all. `federation`
 * counts the requests of another server, `unknown-server` those for which one must be asked that an address named, or signs as; `inviting`
 * the invitations of users here by another server, `inviting-user` those of one of them: what comes with each is kept, as is what is
 * told with a report. `registration` has room for some at once who share an address, each of whom asks several times on the way;
 * `export` counts how often somebody is handed all of their data: each time every room is read that they were ever in.
 * `provider` counts what a provider of accounts says of log-outs, by its address and, once its signature is verified, by itself: it may log out everybody at once.
 * `call` counts the tokens for calls: for each a room is made that stays for minutes. What each is for the page says that the test of this file
 * writes, `docs/rate-limits.md`.
 */
export const RATE_LIMITS = Object.freeze({
  registration: { burst: 30, perSecond: 0.2 },
  login: { burst: 10, perSecond: 0.2 },
  password: { burst: 10, perSecond: 0.1 },
  mail: { burst: 5, perSecond: 0.02 },
  text: { burst: 3, perSecond: 0.003 },
  'all-texts': { burst: 100, perSecond: 0.05 },
  send: { burst: 100, perSecond: 20 },
  room: { burst: 30, perSecond: 3 },
  search: { burst: 30, perSecond: 5 },
  preview: { burst: 30, perSecond: 1 },
  report: { burst: 20, perSecond: 0.1 },
  call: { burst: 30, perSecond: 1 },
  export: { burst: 2, perSecond: 0.0005 },
  federation: { burst: 500, perSecond: 100 },
  'unknown-server': { burst: 100, perSecond: 5 },
  provider: { burst: 5000, perSecond: 50 },
  inviting: { burst: 100, perSecond: 2 },
  'inviting-user': { burst: 30, perSecond: 0.1 },
  default: { burst: 300, perSecond: 100 },
}) satisfies Readonly<Record<string, RateLimit>>;

export type RateLimitClass = keyof typeof RATE_LIMITS;

export type RateLimitFigures = Readonly<Record<RateLimitClass, RateLimit>>;

const FIGURES = /^([a-z-]+) *= *(\d{1,6})(?::(\d{1,6}(?:\.\d{1,4})?))?$/;

/** Reads `send=200:40,login=20:1`: the burst, and how many a second. Undefined where it is not of that form, or names no class. */
function parseRateLimits(text: string): RateLimitFigures | undefined {
  const figures: Record<RateLimitClass, RateLimit> = { ...RATE_LIMITS };
  for (const item of text.split(',')) {
    const [, name = '', burst, perSecond] = FIGURES.exec(item.trim()) ?? [];
    if (!Object.hasOwn(RATE_LIMITS, name)) return undefined;
    const before = RATE_LIMITS[name as RateLimitClass];
    const limit = { burst: Number(burst), perSecond: perSecond === undefined ? before.perSecond : Number(perSecond) };
    if (limit.burst < 1 || limit.perSecond <= 0) return undefined;
    figures[name as RateLimitClass] = Object.freeze(limit);
  }
  return Object.freeze(figures);
}

export const areRateLimits = (text: string): boolean => parseRateLimits(text) !== undefined;

/** All of it checked by the validator. */
export function rateLimitsOf({ rate_limit_figures: figures }: Settings): RateLimitFigures {
  return (figures === undefined ? undefined : parseRateLimits(figures)) ?? RATE_LIMITS;
}
