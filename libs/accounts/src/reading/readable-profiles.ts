import { Inject, Injectable } from '@nestjs/common';
import type { UserId } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { LIMITED_FIELDS, PROFILES } from '../projections/profiles.projector.js';
import { AccessLists } from './access-lists.js';

/** What a reader may see of the profiles of this server's users: what everybody may, and what lists let them. */
@Injectable()
export class ReadableProfiles {
  constructor(
    @Inject(VIEWS) private readonly views: Pick<Views, 'get'>,
    private readonly lists: AccessLists,
  ) {}

  /**
   * As JSON text; undefined for who has no account here. Without a reader: what everybody may see. `shareRoom`: whether the two share a room,
   * where that is known already.
   */
  async findText(owner: UserId, reader: UserId | undefined, shareRoom?: boolean): Promise<string | undefined> {
    // The limited ones first: a field that is closed just then is in neither rather than open.
    const limited = reader === undefined ? undefined : await LIMITED_FIELDS.get(this.views, [owner]);
    const open = await PROFILES.get(this.views, [owner]);
    if (open === undefined || limited === undefined) return open;
    const reading = this.lists.read(owner, reader, shareRoom);
    const seen = new Map(Object.entries(JSON.parse(open) as Record<string, JsonValue>));
    for (const [key, { readers, value }] of limited) {
      if (value !== undefined && (await reading.isOn(readers))) seen.set(key, value);
    }
    const sorted = [...seen].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return JSON.stringify(Object.fromEntries<JsonValue>(sorted));
  }

  /** As `findText`. Throws M_NOT_FOUND. */
  async getText(owner: UserId, reader: UserId | undefined): Promise<string> {
    const text = await this.findText(owner, reader);
    if (text === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such profile');
    return text;
  }

  /** As `findText`, parsed. */
  async find(owner: UserId, reader: UserId | undefined, shareRoom?: boolean): Promise<JsonObject | undefined> {
    const text = await this.findText(owner, reader, shareRoom);
    return text === undefined ? undefined : (JSON.parse(text) as JsonObject);
  }
}
