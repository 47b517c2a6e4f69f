import { Resolver } from 'node:dns/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { HostAndPort } from '#http/outgoing/guarded-connector';
import { Outgoing } from '#http/outgoing/outgoing';
import { doublingPause } from '#kernel/doubling-pause';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { type Discovered, discoverServer, textOf } from './discover-server.js';
import { fetchWellKnown, type WellKnown } from './fetch-well-known.js';
import { orderSrv, type SrvRecord } from './order-srv.js';
import { splitServerName } from './split-server-name.js';
import { type Timed, TimedCache } from './timed-cache.js';

/** How SRV records are looked up. Answers or throws as `dns.resolveSrv` does. */
export type ResolveSrv = (name: string) => Promise<readonly SrvRecord[]>;

/** Injection token of the ResolveSrv. */
export const RESOLVE_SRV = Symbol.for('annals.ResolveSrv');

interface SrvAnswer {
  readonly records: readonly SrvRecord[];
  readonly isRefused: boolean;
  readonly outcome: string;
}

interface KnownWellKnown extends WellKnown {
  /** How many times in a row the host did not answer. */
  readonly silences: number;
  /** When the host said so; before that it may only not have answered. */
  readonly saidAt: number;
}

const REMEMBERED = 20_000;
const MINUTE_MS = 60_000;
const SILENCE_KEEP_MS = 5 * MINUTE_MS;
const MOST_SILENCE_KEEP_MS = 60 * MINUTE_MS;
/** For how long what a host said counts while the host does not answer. */
const MOST_STALE_MS = 48 * 60 * MINUTE_MS;
const SRV_KEEP_MS = 10 * MINUTE_MS;
/** What is older is asked for anew once the server that it leads to does not answer: it may have moved. */
const DOUBT_AFTER_MS = 10 * MINUTE_MS;
/** Of the places that records name. */
const MOST_TRIED = 4;
const NO_RECORDS: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA']);

/** Where the servers of other names are: what was found out is remembered for as long as it counts. */
@Injectable()
export class Discovery {
  readonly #wellKnown: TimedCache<KnownWellKnown>;
  readonly #srv: TimedCache<SrvAnswer>;

  constructor(
    outgoing: Outgoing,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
    @Inject(RESOLVE_SRV) resolveSrv: ResolveSrv,
  ) {
    this.#wellKnown = new TimedCache(REMEMBERED, stopwatch, async (host, former) => {
      const known = this.#settle(await fetchWellKnown(host, outgoing), former);
      return [known, known.keepMs];
    });
    this.#srv = new TimedCache(REMEMBERED, stopwatch, async (name) => [await lookUp(name, resolveSrv), SRV_KEEP_MS]);
  }

  /** For metrics, by name. */
  get caches(): Readonly<Record<string, CacheNumbers>> {
    return { 'well-known-servers': this.#wellKnown.numbers, 'srv-records': this.#srv.numbers };
  }

  /** Finds a server, and says how. Never throws. */
  discover(server: ServerName): Promise<Discovered> {
    return discoverServer(server, {
      wellKnown: (host) => this.#wellKnown.get(host.toLowerCase()),
      srv: async (name) => {
        const { records, ...said } = await this.#srv.get(name.toLowerCase());
        const at: HostAndPort[] = orderSrv(records).slice(0, MOST_TRIED);
        return { at, ...said };
      },
    });
  }

  /** Notes that a server did not answer where it was found. */
  doubt(server: ServerName): void {
    const host = splitServerName(server)?.host.toLowerCase();
    if (host !== undefined) this.#wellKnown.shorten(host, DOUBT_AFTER_MS);
  }

  /** What counts now, after what counted before: a host that does not answer takes nothing back at once. */
  #settle(answer: WellKnown, former: Timed<KnownWellKnown> | undefined): KnownWellKnown {
    const now = this.stopwatch.elapsed();
    if (answer.isAnswer) return { ...answer, silences: 0, saidAt: now };
    const silences = (former?.value.silences ?? 0) + 1;
    const keepMs = doublingPause(silences, SILENCE_KEEP_MS, MOST_SILENCE_KEEP_MS);
    const before = former?.value;
    if (before?.delegated === undefined || now - before.saidAt > MOST_STALE_MS) {
      return { ...answer, keepMs, silences, saidAt: now };
    }
    const { delegated, saidAt } = before;
    const minutes = Math.round((now - saidAt) / MINUTE_MS);
    const outcome = `${answer.outcome}; ${minutes} minutes ago it said ${delegated}, which still counts`;
    return { delegated, outcome, keepMs, isAnswer: false, silences, saidAt };
  }
}

async function lookUp(name: string, resolveSrv: ResolveSrv): Promise<SrvAnswer> {
  try {
    const records = await resolveSrv(name);
    // RFC 2782: a single record with the target "." says that there is no such service.
    const isRefused = records.length === 1 && ['', '.'].includes(records[0]?.name ?? '');
    const usable = isRefused ? [] : records.filter((record) => record.port > 0);
    const where = textOf(usable.map((record) => ({ host: record.name, port: record.port })));
    return { records: usable, isRefused, outcome: `${name}: ${isRefused ? 'there is no such service' : where}` };
  } catch (error) {
    const code = (error as { code?: unknown } | undefined)?.code;
    const why = typeof code === 'string' && !NO_RECORDS.has(code) ? `not found out (${code})` : 'no record';
    return { records: [], isRefused: false, outcome: `${name}: ${why}` };
  }
}

const SRV_TRY_MS = 3000;
const SRV_TRIES = 2;

/** Looks SRV records up by the name servers of the system. */
export const systemResolveSrv: ResolveSrv = (name) =>
  new Resolver({ timeout: SRV_TRY_MS, tries: SRV_TRIES }).resolveSrv(name);
