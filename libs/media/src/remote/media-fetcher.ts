import { Inject, Injectable, Optional } from '@nestjs/common';
import { BY_SERVER } from '#accounts/accounts';
import { CONFIG, type Config } from '#config/config';
import { MatrixError } from '#kernel/matrix-error';
import { PeerRefused } from '#kernel/peer-errors';
import { decideFetched } from '../decide/media.js';
import { KeptContent } from '../kept-content.js';
import type { MediaRef } from '../media-id.js';
import { MediaLog } from '../media-log.js';
import { type FoundMedia, REMOTE_MEDIA, type RemoteMedia } from '../remote-media.js';
import { ContentTooLarge, MEDIA_STORE, type MediaStore } from '../store/media-store.js';
import { readName, readType } from '../uploads/parse-about.js';

/** Fetches a medium from its server, and keeps it. */
@Injectable()
export class MediaFetcher {
  constructor(
    private readonly log: MediaLog,
    private readonly kept: KeptContent,
    @Inject(MEDIA_STORE) private readonly store: MediaStore,
    @Inject(CONFIG) private readonly config: Pick<Config, 'media'>,
    @Optional() @Inject(REMOTE_MEDIA) private readonly remote?: RemoteMedia,
  ) {}

  /**
   * Settles once the medium is here, with the number of its bytes. Throws M_NOT_FOUND where it was deleted here or nobody is asked,
   * ContentInQuarantine, M_TOO_LARGE (502) where it is more than is taken or given out, M_NOT_YET_UPLOADED, what its server refuses, PeerUnavailable.
   */
  async fetch(media: MediaRef, timeoutMs: number): Promise<number> {
    if (this.remote === undefined) throw new MatrixError('M_NOT_FOUND', 'This server asks no other servers');
    if ((await this.log.load(media)).isDeleted === true) throw new MatrixError('M_NOT_FOUND');
    const { maxBytes } = this.config.media;
    try {
      return await this.remote.fetch(media, { timeoutMs, maxBytes }, (found) => this.#take(media, found));
    } catch (error) {
      if (error instanceof ContentTooLarge) {
        throw new MatrixError('M_TOO_LARGE', `The file has more than ${maxBytes} bytes`, { status: 502 });
      }
      if (error instanceof PeerRefused && error.errcode === 'M_NOT_YET_UPLOADED') {
        throw new MatrixError('M_NOT_YET_UPLOADED');
      }
      if (error instanceof PeerRefused && error.errcode === 'M_TOO_LARGE') {
        throw new MatrixError('M_TOO_LARGE', 'The file is more than its server gives out', { status: 502 });
      }
      throw error;
    }
  }

  async #take(media: MediaRef, { body, type, name, atLeast = 0 }: FoundMedia): Promise<number> {
    const { maxBytes } = this.config.media;
    if (atLeast > maxBytes) throw new ContentTooLarge(maxBytes);
    const received = await this.store.receive(body, maxBytes);
    const { hash: sha256, bytes } = received;
    const content = { sha256, bytes, about: { type: readType(type), name: readName(name) } };
    await this.kept.keepFor(received, () =>
      this.log.change(media, (state) => decideFetched(state, content), BY_SERVER),
    );
    return bytes;
  }
}
