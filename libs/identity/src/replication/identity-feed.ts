import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { findLogIdentity } from '#event-store/log-identity';
import type { JsonObject } from '#kernel/json';
import { parsePosition, type Position, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { signJson } from '#protocol/signing/sign-json';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import { ASSOCIATION_FEED, type FeedRow } from '../projections/identity-feed.projector.js';

/** Some of what this identity server says of identifiers, each entry signed. */
export interface FeedPage {
  readonly entries: readonly JsonObject[];
  /** From where there is more, now or later. */
  readonly next: string;
  /** Whether there is more by now. */
  readonly more: boolean;
}

const PAGE = 200;

/**
 * What other identity servers are told that trust this one, in the order in which it was said. A place in it names the log that it is of, and when that was
 * last put back to an earlier moment: by one of another log, or another past, all is told again, which changes nothing for who knows it.
 */
@Injectable()
export class IdentityFeed {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(EVENT_STORE) private readonly store: Pick<EventStore, 'readStream'>,
    @Inject(SIGNING_KEY) private readonly key: SigningKey,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** What was said behind a place; from the beginning where there is none. */
  async read(place: string | undefined): Promise<FeedPage> {
    const past = await this.#past();
    const [named, digits = ''] = (place ?? '').split('.');
    const after = (named === past ? parsePosition(digits) : undefined) ?? START;
    const rows = await ASSOCIATION_FEED.scan(this.views, { after: [after], limit: PAGE });
    const last = (rows.at(-1)?.key[0] ?? after) as Position; // of the rows' keys
    return {
      entries: rows.map(({ value }) => signJson(entryOf(value), this.config.serverName, this.key)),
      next: `${past}.${last}`,
      more: rows.length === PAGE,
    };
  }

  async #past(): Promise<string> {
    const identity = await findLogIdentity(this.store);
    return `${identity?.logId ?? ''}_${identity?.restored.at(-1)?.name ?? ''}`;
  }
}

/** Whose it is as `POST /3pid/bind` answers it; of what is over as much as tells it from all else. */
function entryOf({ hash, mxid, ts, by, of, ended, ...row }: FeedRow): JsonObject {
  if (of === null) return { hash, mxid, made_ts: ts, made_by: by, ts: ended ?? ts };
  const { not_before, not_after } = row;
  return { medium: of.medium, address: of.address, mxid, ts, not_before, not_after };
}
