import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { KeyedQueue } from '#kernel/keyed-queue';
import { MatrixError } from '#kernel/matrix-error';
import { awaitShown, whenShown } from '#projections/await-shown';
import { VIEWS, type Views } from '#projections/views';
import type { MediaId } from './media-id.js';
import { hashOfPreview, PREVIEW_NOTE } from './previews/preview-id.js';
import { MEDIA_CONTENT, type MediaHere } from './projections/media.projector.js';
import { QUARANTINED } from './projections/quarantine.projector.js';
import { type ContentHash, MEDIA_STORE, type MediaStore, type ReceivedContent } from './store/media-store.js';

const MB = 1024 * 1024;
/** All that is made of content may have as many bytes as it, and so many: no quota counts it, and a small file can hold a large picture. */
const MOST_DERIVED_BYTES = 4 * MB;

/** What lies beside a picture of a preview. */
interface PreviewNote {
  readonly type: string;
  /** When it goes, in milliseconds since the epoch; nobody knows of one that was noted before this was. */
  readonly until?: number;
}

/** Some content is in quarantine, and is not taken. */
export class ContentInQuarantine extends MatrixError {
  constructor(readonly hash: ContentHash) {
    super('M_FORBIDDEN', 'This content is not taken here');
  }
}

/**
 * Which content stays: what a medium refers to. Content is in the store before the log says that a medium has it, and it is freed only
 * after the log says that none has. So wherever a process ends between the two, there may be content too much, for which the next start
 * looks (`freeStrays`), and never too little.
 */
@Injectable()
export class KeptContent {
  /** What is brought under a hash and what is freed there do not overlap. */
  readonly #turns = new KeyedQueue<ContentHash>();

  constructor(
    @Inject(MEDIA_STORE) private readonly store: MediaStore,
    @Inject(EVENT_STORE) private readonly log: EventStore,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /**
   * Keeps content, then has `refer` say in the log which medium has it; where that is refused the content goes, unless another medium has
   * it. Throws what `refer` throws, and ContentInQuarantine.
   */
  async keepFor<T>(received: ReceivedContent, refer: () => Promise<T>): Promise<T> {
    const { hash } = received;
    try {
      return await this.#turns.run(hash, async () => {
        if (await this.isQuarantined(hash)) throw new ContentInQuarantine(hash);
        await received.keep();
        const referred = await refer().catch(async (error: unknown) => {
          // Of whatever else is thrown nobody knows whether the log has it.
          if (error instanceof MatrixError) await this.#freeUnlessReferred(hash);
          throw error;
        });
        // Another process that frees it may have looked before the log said who has it.
        await received.keep();
        return referred;
      });
    } finally {
      await received.discard();
    }
  }

  /**
   * Keeps what was made of content under a name, unless nobody has that any more: then it would stay when the content goes. Answers false, and
   * keeps nothing, where all that was made of it would have more bytes than it may.
   */
  keepDerived(hash: ContentHash, name: string, content: Uint8Array): Promise<boolean> {
    return this.#turns.run(hash, async () => {
      const most = ((await this.store.sizeOf(hash)) ?? 0) + MOST_DERIVED_BYTES;
      if ((await this.store.sizeOfDerived(hash)) + content.length > most) return false;
      await this.#keepWanted(hash, name, content);
      return true;
    });
  }

  /** The same of a few words, for which there is always room. */
  noteDerived(hash: ContentHash, name: string, note: string): Promise<void> {
    return this.#turns.run(hash, () => this.#keepWanted(hash, name, Buffer.from(note)));
  }

  /** Keeps content that no medium has, as a picture of a preview: a start frees it. Answers whether it is taken. */
  async keepPreview(received: ReceivedContent): Promise<boolean> {
    const { hash } = received;
    try {
      return await this.#turns.run(hash, async () => {
        if (await this.isQuarantined(hash)) return false;
        await received.keep();
        return true;
      });
    } finally {
      await received.discard();
    }
  }

  /** Lets a picture of a preview be given out by its hash. `until`: when whoever has it kept lets it go, in milliseconds since the epoch. */
  async notePreview(hash: ContentHash, type: string, until: number): Promise<void> {
    const note: PreviewNote = { type, until };
    await this.#turns.run(hash, () => this.store.keepDerived(hash, PREVIEW_NOTE, Buffer.from(JSON.stringify(note))));
  }

  /** A picture of a preview; undefined where an id names none that is here. */
  async findPreview(mediaId: MediaId): Promise<MediaHere | undefined> {
    const hash = hashOfPreview(mediaId);
    const note = hash && (await this.#previewNote(hash));
    if (hash === undefined || note === undefined) return undefined;
    const bytes = await this.store.sizeOf(hash);
    return bytes === undefined ? undefined : { at: 0, sha256: hash, bytes, type: note.type };
  }

  isQuarantined(hash: ContentHash): Promise<boolean> {
    return QUARANTINED.has(this.views, [hash]);
  }

  /** Frees content, with what was made of it, unless a medium has it. Answers whether there was any to free. */
  free(hash: ContentHash): Promise<boolean> {
    return this.#turns.run(hash, () => this.#freeUnlessReferred(hash));
  }

  /**
   * Frees what no medium has: of uploads and deletions that a process has left halfway. Waits for the views to show all that the log has now,
   * however long that takes. `shared`: where other processes bring content to the same store, what no medium has now and none has after a
   * pause; but pictures of previews that they keep still. Answers how many there were.
   */
  async freeStrays(shared?: { readonly pauseMs: number; readonly now: number }): Promise<number> {
    await whenShown(this.views, [MEDIA_CONTENT.name], this.log);
    const strays: ContentHash[] = [];
    for await (const hash of this.store.list()) {
      if (await this.#isReferred(hash)) continue;
      const { until = 0 } = (shared && (await this.#previewNote(hash))) ?? {};
      if (until <= (shared?.now ?? 0)) strays.push(hash);
    }
    if (strays.length > 0 && shared !== undefined) await delay(shared.pauseMs, undefined, { ref: false });
    let freed = 0;
    for (const hash of strays) if (await this.free(hash)) freed++;
    return freed;
  }

  /**
   * Looks twice: while views that were away kept the first look waiting another process may have said who has the content. In what the second one
   * takes none says so and looks again whether it is there.
   */
  async #freeUnlessReferred(hash: ContentHash): Promise<boolean> {
    if ((await this.#isReferredNow(hash)) || (await this.#isReferredNow(hash))) return false;
    return this.store.delete(hash);
  }

  /** By all that the log has. Throws ViewsUnavailable where the views do not show that. */
  async #isReferredNow(hash: ContentHash): Promise<boolean> {
    await awaitShown(this.views, MEDIA_CONTENT.name, await this.log.head(), 'who has the content');
    const isReferred = await this.#isReferred(hash);
    await this.views.confirm();
    return isReferred;
  }

  async #keepWanted(hash: ContentHash, name: string, content: Uint8Array): Promise<void> {
    const isWanted = (await this.#isReferred(hash)) || (await this.#previewNote(hash)) !== undefined;
    if (isWanted) await this.store.keepDerived(hash, name, content);
  }

  async #previewNote(hash: ContentHash): Promise<PreviewNote | undefined> {
    const note = await this.store.openDerived(hash, PREVIEW_NOTE);
    return note && (JSON.parse(await text(note.stream)) as PreviewNote); // as notePreview wrote it
  }

  async #isReferred(hash: ContentHash): Promise<boolean> {
    return (await MEDIA_CONTENT.scan(this.views, { prefix: [hash], limit: 1 })).length > 0;
  }
}
