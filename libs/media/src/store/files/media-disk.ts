import { isOfDisk, Outage, type OutageWatch } from '#kernel/outage';
import { StoreUnavailable } from '../media-store.js';

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
      if (!isOfDisk(error)) throw error;
      this.#outage.noteLoss(way, error.message);
      throw new StoreUnavailable(error);
    }
  }

  /** Content was written, and the disk says that it has it: a full one still takes names of files. */
  noteWritten(): void {
    this.#outage.noteSuccess('write');
  }
}
