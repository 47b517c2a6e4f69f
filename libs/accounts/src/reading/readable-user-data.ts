import { Inject, Injectable } from '@nestjs/common';
import type { UserId } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import { VIEWS, type Views } from '#projections/views';
import { valueOfContent } from '../decide/user-data.js';
import { ACCOUNT_DATA } from '../projections/account-data-row.js';
import { ACCESS_LISTS } from '../projections/profiles.projector.js';
import { AccessLists } from './access-lists.js';

/** What a reader may see of the private data of an account: its owner all of it, others what lists let them. */
@Injectable()
export class ReadableUserData {
  constructor(
    @Inject(VIEWS) private readonly views: Pick<Views, 'get' | 'scan'>,
    private readonly lists: AccessLists,
  ) {}

  /** The value under a key; undefined where there is none, or none that the reader may see. */
  async find(owner: UserId, reader: UserId, key: string): Promise<JsonValue | undefined> {
    const readers = owner === reader ? [] : await ACCESS_LISTS.get(this.views, [owner, 'user-data', key]);
    if (readers === undefined || !(await this.lists.read(owner, reader).isOn(readers))) return undefined;
    return this.#findValue(owner, key);
  }

  /** All that the reader may see, by the keys. */
  async list(owner: UserId, reader: UserId): Promise<Record<string, JsonValue>> {
    const found = new Map<string, JsonValue>();
    const reading = this.lists.read(owner, reader);
    const keys: string[] = [];
    if (owner === reader) {
      for await (const page of ACCOUNT_DATA.pages(this.views, { prefix: [owner, ''] }))
        for (const { key } of page) keys.push(key[2]);
    } else {
      for await (const page of ACCESS_LISTS.pages(this.views, { prefix: [owner, 'user-data'] }))
        for (const { key, value } of page) if (await reading.isOn(value)) keys.push(key[2]);
    }
    for (const key of keys) {
      const value = await this.#findValue(owner, key);
      if (value !== undefined) found.set(key, value);
    }
    return Object.fromEntries(found);
  }

  async #findValue(owner: UserId, key: string): Promise<JsonValue | undefined> {
    const row = await ACCOUNT_DATA.get(this.views, [owner, '', key]);
    // Of push rules only the place is noted there: they have doors of their own.
    if (row === undefined || row.content === '') return undefined;
    return valueOfContent(key, JSON.parse(row.content) as JsonObject);
  }
}
