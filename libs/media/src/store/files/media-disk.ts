import { Outage, type OutageWatch } from '#kernel/outage';
import { StoreUnavailable } from '../media-store.js';

/** What says that a disk is full, not to be written to, broken or away, and nothing of what was asked of it. */
const AWAY: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'ESTALE', 'ENODEV', 'ENOTCONN']);

/** The disk that files of media are on. */
export class MediaDisk {
  readonly #outage: Outage<'read' | 'write'>;

  constructor(watch: OutageWatch = {}) {
    this.#outage = new Outage(watch);
  }

  /** Settles with what is done on it. Throws StoreUnavailable where it cannot be used, or is full: that may pass. */
  async use<T>(way: 'read' | 'write', work: Promise<T>): Promise<T> {
    try {
      const done = await work;
      if (way === 'read') this.#outage.noteSuccess(way);
      return done;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (!AWAY.has(code)) throw error;
      this.#outage.noteLoss(way, message);
      throw new StoreUnavailable(error);
    }
  }

  /** Content was written, and the disk says that it has it: a full one still takes names of files. */
  noteWritten(): void {
    this.#outage.noteSuccess('write');
  }
}
