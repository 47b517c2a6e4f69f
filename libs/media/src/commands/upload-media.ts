import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { causeOf } from '#accounts/accounts';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { checkMayFill, uploadDraft } from '../decide/media.js';
import type { MediaAbout } from '../facts/media-facts.js';
import { KeptContent } from '../kept-content.js';
import { type MediaRef, newMediaId } from '../media-id.js';
import { MediaLog } from '../media-log.js';
import { ContentTooLarge, MEDIA_STORE, type MediaStore, type ReceivedContent } from '../store/media-store.js';
import { UploadLimits } from '../uploads/upload-limits.js';

/** Content as a user sends it. */
export interface SentContent extends MediaAbout {
  readonly stream: AsyncIterable<Uint8Array>;
  /** How long it says it is; undefined where it does not. */
  readonly bytes: number | undefined;
}

/**
 * Takes what a user uploads, as it comes: client-server API, "Content repository". With `reserved`, the id of a medium that they reserved, it
 * becomes that medium's. Answers which medium has it, once it is on the disk and in the log. Throws M_TOO_LARGE, M_USER_LIMIT_EXCEEDED, M_FORBIDDEN (the
 * quarantine, another's id), M_NOT_FOUND, M_CANNOT_OVERWRITE_MEDIA: then nothing of it is left. Where the log or the views are away its
 * content may be, for nobody knows whether the log has it.
 */
export class UploadMedia {
  constructor(
    readonly requester: Requester,
    readonly sent: SentContent,
    readonly reserved?: MediaRef,
  ) {}
}

@CommandHandler(UploadMedia)
export class UploadMediaHandler implements ICommandHandler<UploadMedia> {
  constructor(
    private readonly log: MediaLog,
    private readonly kept: KeptContent,
    private readonly limits: UploadLimits,
    @Inject(MEDIA_STORE) private readonly store: MediaStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  async execute({ requester, sent, reserved }: UploadMedia): Promise<MediaRef> {
    const { userId } = requester;
    const { stream, bytes: announced = 0, type, name } = sent;
    // Before anything is read that is then in vain.
    this.limits.checkSize(announced);
    await this.limits.checkQuota(userId, announced);
    if (reserved !== undefined) await this.#checkMayFill(reserved, requester);
    const received = await this.#receive(this.limits.within(userId, stream));
    const media = reserved ?? { server: this.config.serverName, mediaId: newMediaId() };
    const draft = uploadDraft({ sha256: received.hash, bytes: received.bytes, about: { type, name } }, userId);
    await this.kept.keepFor(received, () =>
      this.limits.upload(userId, received.bytes, () =>
        this.log.change(
          media,
          (state, exists) => {
            if (reserved !== undefined) checkMayFill(state, userId, this.clock.now());
            else if (exists) throw new MatrixError('M_UNKNOWN', 'The media ID is taken', { status: 503 });
            return [draft];
          },
          causeOf(requester),
        ),
      ),
    );
    return media;
  }

  async #checkMayFill(reserved: MediaRef, { userId }: Requester): Promise<void> {
    if (reserved.server !== this.config.serverName) throw new MatrixError('M_NOT_FOUND', 'Unknown media ID');
    checkMayFill(await this.log.load(reserved), userId, this.clock.now());
  }

  async #receive(stream: AsyncIterable<Uint8Array>): Promise<ReceivedContent> {
    try {
      return await this.store.receive(stream, this.limits.maxBytes);
    } catch (error) {
      throw error instanceof ContentTooLarge ? this.limits.tooLarge() : error;
    }
  }
}
