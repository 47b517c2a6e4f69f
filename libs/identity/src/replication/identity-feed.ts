import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { findLogIdentity } from '#event-store/log-identity';
import type { JsonObject } from '#kernel/json';
import { parsePosition, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { signJson } from '#protocol/signing/sign-json';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import { saidOfAssociation } from '../projections/identity.projector.js';
import { type AssociationWord, IDENTITY_FEED, type ReadersWord } from '../projections/identity-feed.projector.js';

/** Some of what this identity server says of identifiers, each entry signed. */
export interface FeedPage {
  readonly entries: readonly JsonObject[];
  /** From where there is more, now or later. */
  readonly next: string;
  /** Whether there is more by now. */
  readonly more: boolean;
}

const PAGE = 200;
/** Of a page, roughly: who may find somebody may be a long list. */
const PAGE_BYTES = 256 * 1024;

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
    const rows = await IDENTITY_FEED.scan(this.views, { after: [after], limit: PAGE });
    const entries: JsonObject[] = [];
    let bytes = 0;
    for (const { value } of rows) {
      if (bytes > PAGE_BYTES) break;
      const entry = this.#entryOf(value);
      bytes += JSON.stringify(entry).length;
      entries.push(signJson(entry, this.config.serverName, this.key));
    }
    const last = rows[entries.length - 1]?.key[0] ?? after;
    return { entries, next: `${past}.${last}`, more: rows.length === PAGE || entries.length < rows.length };
  }

  /** Of an association what `POST /3pid/bind` answers, signed for all who are told it; that one is over by its id alone; and who may find somebody. */
  #entryOf(word: AssociationWord | ReadersWord): JsonObject {
    if ('readers' in word) return { mxid: word.mxid, ts: word.ts, readers: [...word.readers] };
    const { id: association_id, ts, is } = word;
    if (is === undefined) return { association_id, ts };
    const said = saidOfAssociation(is.of, { ts, ...is });
    return { association_id, ts, association: signJson(said, this.config.serverName, this.key) };
  }

  async #past(): Promise<string> {
    const identity = await findLogIdentity(this.store);
    return `${identity?.logId ?? ''}_${identity?.restored.at(-1)?.name ?? ''}`;
  }
}
