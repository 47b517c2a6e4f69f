import { Inject, Injectable } from '@nestjs/common';
import { serverNameOf, type UserId } from '#kernel/ids';
import {
  PersonalData,
  type PersonalDataKind,
  type PersonalFile,
  type PersonalRecord,
} from '#personal-data/personal-data';
import { VIEWS, type Views } from '#projections/views';
import { KeptContent } from './kept-content.js';
import { type MediaId, mxcOf } from './media-id.js';
import { isHere, MEDIA, MEDIA_USE, type MediaRow, RESERVED_MEDIA, USER_MEDIA } from './projections/media.projector.js';
import { MEDIA_STORE, type MediaStore } from './store/media-store.js';

/** Few enough that what one of them waits for is no wait for many. */
const PAGE = 100;

/** What people have of this domain, for who asks for their data: their uploads, with the files. */
@Injectable()
export class MediaData {
  constructor(
    data: PersonalData,
    private readonly kept: KeptContent,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(MEDIA_STORE) private readonly store: MediaStore,
  ) {
    data.add(this.#uploads());
  }

  #uploads(): PersonalDataKind {
    return {
      name: 'media',
      chapter: 'media',
      isCountedAsErased: false,
      title: 'Files that you uploaded',
      about: 'Pictures and other files: as you uploaded them, those of encrypted rooms as your devices encrypted them.',
      covers: {
        collections: [USER_MEDIA, RESERVED_MEDIA, MEDIA_USE, MEDIA],
        facts: ['media-reserved', 'media-uploaded'],
      },
      read: (userId) => this.#read(userId),
    };
  }

  async *#read(userId: UserId): AsyncGenerator<PersonalRecord, void> {
    for (const ids of [USER_MEDIA, RESERVED_MEDIA]) {
      for await (const page of ids.pages(this.views, { prefix: [userId] }, PAGE)) {
        const server = serverNameOf(userId);
        const rows = await MEDIA.getMany(
          this.views,
          page.map(({ key }) => [server, key[1]] as const),
        );
        for (const [i, { key }] of page.entries()) {
          const row = rows[i];
          if (row !== undefined && row.deleted !== true) yield await this.#recordOf(userId, key[1], row);
        }
      }
    }
  }

  async #recordOf(userId: UserId, mediaId: MediaId, row: MediaRow): Promise<PersonalRecord> {
    const { at, type, name, bytes, expires_at: expires, sha256 } = row;
    const uri = mxcOf({ server: serverNameOf(userId), mediaId });
    const data = { uri, name, type, bytes, sha256, uploaded_ts: sha256 && at, reserved_until_ts: expires };
    if (!isHere(row)) return { data };
    // What an operator keeps from everybody is for its owner no other: it may be unlawful to hand it over.
    if (await this.kept.isQuarantined(row.sha256)) return { data: { ...data, is_quarantined: true } };
    const open = async (): ReturnType<PersonalFile['open']> => (await this.store.open(row.sha256))?.stream;
    return { data, file: { name, bytes: row.bytes, open } };
  }
}
