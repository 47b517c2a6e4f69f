import type { CommandBus } from '@nestjs/cqrs';
import { BY_SERVER } from '#accounts/accounts';
import type { Clock } from '#kernel/clock';
import { serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import type { Key } from '#read-models/read-model-store';
import { DeleteMedia } from './commands/delete-media.js';
import { QuarantineContent, ReleaseContent } from './commands/quarantine-content.js';
import { findMediaRef, type MediaId, mxcOf, type MediaRef } from './media-id.js';
import {
  dayOf,
  MEDIA,
  MEDIA_CONTENT,
  MEDIA_USE,
  type MediaRow,
  type MediaUse,
  USER_MEDIA,
} from './projections/media.projector.js';
import { QUARANTINED, type QuarantineRow } from './projections/quarantine.projector.js';
import type { CacheRoom } from './remote/cache-room.js';
import { type ContentHash, isContentHash } from './store/media-store.js';

/** What an operator is told of a medium. */
export interface ShownMedia {
  readonly media: string;
  readonly medium: MediaRow;
  /** Of the content, where it is in quarantine. */
  readonly quarantine: QuarantineRow | null;
  /** Which other media have the same content; a hundred at most. */
  readonly same: readonly string[];
}

const MOST_SAME = 100;

/** A page of what an operator looks through; `next`: what the next page begins behind, where there is one. */
export interface ListedPage<T> {
  readonly entries: readonly T[];
  readonly next?: string;
}

export interface ListedUse extends MediaUse {
  readonly user: string;
}

export interface ListedMedia {
  readonly media: string;
  readonly medium: MediaRow;
}

export interface ListedQuarantine {
  readonly sha256: ContentHash;
  readonly quarantine: QuarantineRow;
}

const PAGE = 500;

/** What the operator of the server does to media, through the same commands as everybody. Media are named by their `mxc` URI, content also by its sha256. */
export class MediaAdministration {
  constructor(
    private readonly commands: Pick<CommandBus, 'execute'>,
    private readonly views: Views,
    private readonly room: Pick<CacheRoom, 'dropBefore'>,
    private readonly clock: Clock,
  ) {}

  /** Throws M_INVALID_PARAM, M_NOT_FOUND. */
  async show(name: string): Promise<ShownMedia> {
    const media = parseMedia(name);
    const medium = await this.#find(media);
    const { sha256 } = medium;
    if (sha256 === undefined) return { media: name, medium, quarantine: null, same: [] };
    const all = await MEDIA_CONTENT.scan(this.views, { prefix: [sha256], limit: MOST_SAME + 1 });
    const same = all.map(({ key: [, server, mediaId] }) => mxcOf({ server, mediaId })).filter((one) => one !== name);
    return { media: name, medium, quarantine: (await QUARANTINED.get(this.views, [sha256])) ?? null, same };
  }

  /** Who has uploaded how much. */
  async listUse(after?: string): Promise<ListedPage<ListedUse>> {
    const rows = await MEDIA_USE.scan(this.views, {
      ...(after === undefined ? {} : { after: [after as UserId] }),
      limit: PAGE,
    });
    return pageOf(
      rows,
      ([user], use) => ({ user, ...use }),
      ([user]) => user,
    );
  }

  /** What a user has uploaded, in the order of the ids. */
  async listOf(user: string, after?: string): Promise<ListedPage<ListedMedia>> {
    const by = user as UserId; // what is none has no media
    const behind = after === undefined ? {} : { after: [by, after as MediaId] as const };
    const rows = await USER_MEDIA.scan(this.views, { prefix: [by], ...behind, limit: PAGE });
    const server = serverNameOf(by);
    const found = await MEDIA.getMany(
      this.views,
      rows.map(({ key: [, mediaId] }) => [server, mediaId] as const),
    );
    const { next } = pageOf(
      rows,
      () => undefined,
      ([, mediaId]) => mediaId,
    );
    const entries = rows.flatMap(({ key: [, mediaId] }, i) => {
      const medium = found[i];
      return medium === undefined ? [] : [{ media: mxcOf({ server, mediaId }), medium }];
    });
    return { entries, next };
  }

  /** What is in quarantine. */
  async listQuarantined(after?: string): Promise<ListedPage<ListedQuarantine>> {
    const rows = await QUARANTINED.scan(this.views, {
      ...(after === undefined ? {} : { after: [after as ContentHash] }),
      limit: PAGE,
    });
    return pageOf(
      rows,
      ([sha256], quarantine) => ({ sha256, quarantine }),
      ([sha256]) => sha256,
    );
  }

  /** Deletes a medium for good. Answers its name. Throws M_INVALID_PARAM; M_NOT_FOUND where it is not here, or was deleted before. */
  async delete(name: string): Promise<string> {
    const media = parseMedia(name);
    await this.#find(media);
    if (!(await this.commands.execute(new DeleteMedia(BY_SERVER, media)))) throw new MatrixError('M_NOT_FOUND');
    return name;
  }

  /** Has nobody given some content, under whatever id. Answers its hash. Throws M_INVALID_PARAM, M_NOT_FOUND. */
  async quarantine(name: string, reason: string | undefined): Promise<ContentHash> {
    const hash = await this.#hashOf(name);
    await this.commands.execute(new QuarantineContent(BY_SERVER, hash, reason));
    return hash;
  }

  /** Has it given again. Answers its hash. Throws M_INVALID_PARAM; M_NOT_FOUND where it was not in quarantine. */
  async release(name: string): Promise<ContentHash> {
    const hash = await this.#hashOf(name);
    if (!(await this.commands.execute(new ReleaseContent(BY_SERVER, hash)))) throw new MatrixError('M_NOT_FOUND');
    return hash;
  }

  /** Lets media of other servers go for which nobody has asked for so many days. Answers how many. */
  dropUnseen(days: number): Promise<number> {
    return this.room.dropBefore(dayOf(this.clock.now()) - days + 1);
  }

  async #hashOf(name: string): Promise<ContentHash> {
    if (isContentHash(name)) return name;
    const { sha256 } = await this.#find(parseMedia(name));
    if (sha256 === undefined) throw new MatrixError('M_NOT_FOUND', `${name} has no content here`);
    return sha256;
  }

  async #find({ server, mediaId }: MediaRef): Promise<MediaRow> {
    const row = await MEDIA.get(this.views, [server, mediaId]);
    if (row === undefined || row.deleted === true) throw new MatrixError('M_NOT_FOUND', 'There is no such medium here');
    return row;
  }
}

function pageOf<K extends Key, V, T>(
  rows: readonly { readonly key: K; readonly value: V }[],
  entryOf: (key: K, value: V) => T,
  nameOf: (key: K) => string,
): ListedPage<T> {
  const entries = rows.map(({ key, value }) => entryOf(key, value));
  const last = rows.length < PAGE ? undefined : rows.at(-1);
  return { entries, next: last && nameOf(last.key) };
}

function parseMedia(name: string): MediaRef {
  const media = findMediaRef(name);
  if (media === undefined) throw new MatrixError('M_INVALID_PARAM', `${name} is no mxc:// URI`);
  return media;
}
