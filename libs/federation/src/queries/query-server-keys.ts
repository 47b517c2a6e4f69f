import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { RateLimits } from '#http/rate-limits';
import { KeyRing } from '../keys/key-ring.js';
import { OwnKeys } from '../keys/own-keys.js';
import { inTime } from '../peers/in-time.js';
import { ServerKeyLog } from '../keys/server-key-log.js';
import { type KnownKeys, validityOf } from '../receive/known-keys.js';

/** What is wanted of a server: until when each key, by its id, must be valid, in milliseconds since the epoch. None: all keys, now. */
export interface KeysWanted {
  readonly server: ServerName;
  readonly validAt: ReadonlyMap<string, number>;
}

/** Asks this server as a notary for the keys of others. `from`: the address that asks. */
export class QueryServerKeys extends Query<readonly JsonObject[]> {
  constructor(
    readonly wanted: readonly KeysWanted[],
    readonly from: string,
  ) {
    super();
  }
}

/** Of more servers nobody is told at once, nor more than so much: each document is signed anew, for whoever asks. */
export const MOST_SERVERS = 250;
const MOST_UNITS = 1024 * 1024;
/** So many others may be asked because of one request, and for so long: a small request must not make this server send many. */
const MOST_ASKED = 20;
const LONGEST_MS = 12_000;

/**
 * What servers published of their keys, the best that is known of each, also where it is no longer valid: of a server that is gone nobody
 * has anything better. Signed by this one besides. Server-server API, "Querying Keys Through Another Server".
 */
@QueryHandler(QueryServerKeys)
export class QueryServerKeysHandler implements IQueryHandler<QueryServerKeys> {
  constructor(
    private readonly own: OwnKeys,
    private readonly keys: KeyRing,
    private readonly log: ServerKeyLog,
    private readonly limits: RateLimits,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ wanted, from }: QueryServerKeys): Promise<readonly JsonObject[]> {
    const some = wanted.slice(0, MOST_SERVERS);
    const others = some.filter(({ server }) => server !== this.own.serverName);
    const known = await this.keys.told(others.map(({ server }) => server));
    const stale = others.filter((one) => this.#isStale(one, known.get(one.server)));
    const asked = stale.slice(0, MOST_ASKED).filter(() => this.limits.take('unknown-server', from) === 0);
    // Those that take longer are known the next time.
    await inTime(this.keys.askServers(asked.map(({ server }) => server)), LONGEST_MS);
    for (const { server } of asked) known.set(server, await this.log.load(server));
    const documents = firstOf(others.flatMap((one) => documentsFor(one, known.get(one.server))));
    const ours = some.length > others.length ? [this.own.document()] : [];
    return [...ours, ...documents.map((document) => this.own.sign(document))];
  }

  #isStale({ validAt }: KeysWanted, known: KnownKeys | undefined): boolean {
    const now = this.clock.now();
    const keys = Object.entries(known?.keys ?? {});
    if (validAt.size === 0) {
      return !keys.some(([, key]) => !validityOf(key).isOld && validityOf(key).validUntil >= now);
    }
    return [...validAt].some(([keyId, at]) => {
      const key = keys.find(([id]) => id === keyId)?.[1];
      return key === undefined || (!validityOf(key).isOld && validityOf(key).validUntil < at);
    });
  }
}

/** What told all that is known of the keys of a server: those first in which a key is that was asked for. */
function documentsFor({ validAt }: KeysWanted, known: KnownKeys | undefined): readonly JsonObject[] {
  const documents = known?.told.map(({ document }) => document) ?? [];
  const holdsWanted = ({ verify_keys: now, old_verify_keys: old }: JsonObject): boolean =>
    [...validAt.keys()].some((keyId) => [now, old].some((keys) => isJsonObject(keys) && Object.hasOwn(keys, keyId)));
  const isWanted = documents.map(holdsWanted);
  return [...documents.filter((_, i) => isWanted[i]), ...documents.filter((_, i) => !isWanted[i])];
}

/** As many as the answer has room for. */
function firstOf(documents: readonly JsonObject[]): readonly JsonObject[] {
  let units = 0;
  const end = documents.findIndex((document) => (units += JSON.stringify(document).length) > MOST_UNITS);
  return end < 0 ? documents : documents.slice(0, end);
}
