import { Inject, Injectable } from '@nestjs/common';
import { BY_SERVER } from '#accounts/accounts';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { serverNameOf, type UserId } from '#kernel/ids';
import { awaitShown } from '#projections/await-shown';
import { VIEWS, type Views } from '#projections/views';
import { decideDelete } from './decide/media.js';
import { KeptContent } from './kept-content.js';
import type { MediaRef } from './media-id.js';
import { MediaLog } from './media-log.js';
import { MEDIA, RESERVED_MEDIA, USER_MEDIA } from './projections/media.projector.js';

/** What somebody has uploaded, and what of it is in quarantine, where it is kept for who looks into it. */
export interface UploadedMedia {
  readonly media: number;
  readonly quarantined: number;
}

/** Deletes what somebody has uploaded whose account is closed with what was its. What other servers have of it, and others here under another URI, stays. */
@Injectable()
export class MediaOfUser {
  constructor(
    private readonly log: MediaLog,
    private readonly kept: KeptContent,
    @Inject(EVENT_STORE) private readonly events: Pick<EventStore, 'head'>,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /** How much there is. */
  async count(userId: UserId): Promise<UploadedMedia> {
    let [media, quarantined] = [0, 0];
    for await (const [, isKept] of this.#list(userId)) {
      if (isKept) quarantined++;
      else media++;
    }
    return { media, quarantined };
  }

  /** Deletes all of it, by all that the log has now, but for what is in quarantine; and what they were still to upload; no more once it `goesOn` no longer. Answers whether there was any. */
  async delete(userId: UserId, goesOn: () => Promise<boolean>): Promise<boolean> {
    await awaitShown(this.views, MEDIA.name, await this.events.head(), 'the media of a user');
    let isDone = false;
    for await (const [media, isKept] of this.#list(userId)) {
      if (!(await goesOn())) return isDone;
      if (!isKept && (await this.log.change(media, decideDelete, BY_SERVER))) isDone = true;
    }
    for await (const page of RESERVED_MEDIA.pages(this.views, { prefix: [userId] })) {
      for (const { key } of page) {
        if (!(await goesOn())) return isDone;
        const media = { server: serverNameOf(userId), mediaId: key[1] };
        if (await this.log.change(media, decideDelete, BY_SERVER)) isDone = true;
      }
    }
    return isDone;
  }

  async *#list(userId: UserId): AsyncGenerator<readonly [MediaRef, isKept: boolean]> {
    const server = serverNameOf(userId);
    for await (const page of USER_MEDIA.pages(this.views, { prefix: [userId] })) {
      for (const { key } of page) {
        const media = { server, mediaId: key[1] };
        const sha256 = (await MEDIA.get(this.views, [server, key[1]]))?.sha256;
        yield [media, sha256 !== undefined && (await this.kept.isQuarantined(sha256))];
      }
    }
  }
}
