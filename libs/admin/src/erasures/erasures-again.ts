import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ErasedAccounts } from '#accounts/erased-accounts';
import { CONFIG, type Config } from '#config/config';
import { ConfigError } from '#config/config-error';
import type { UserId } from '#kernel/ids';
import { isOfDisk, Outage, StoreAway } from '#kernel/outage';
import { SharedRuns } from '#kernel/shared-runs';
import {
  addToErasureList,
  ErasureListDamaged,
  erasureListIn,
  lackedBy,
  listed,
  type ListedErasure,
  readErasureList,
} from './erasure-list.js';
import { Erasures } from './erasures.js';

const RETRY_AFTER_MS = 5_000;

/** The list cannot be written for now, as where the disk is full: what waits for it goes on once it can. */
export class ErasureListAway extends StoreAway {
  constructor(cause: unknown) {
    const fields = { retry_after_ms: RETRY_AFTER_MS };
    super('M_UNKNOWN', 'The list of erasures cannot be written', { status: 503, fields, cause });
  }
}

/**
 * Keeps the list of who was erased beside the log, and has erased again whom the log does not know of: it was put back to an earlier moment, and has
 * again what had gone.
 */
@Injectable()
export class ErasuresAgain implements ErasedAccounts {
  readonly #log = new Logger('admin');
  readonly #outage = new Outage<'write'>({
    onLost: (reason) => this.#log.error({ reason }, 'the list of erasures cannot be written, and those wait for it'),
    onBack: () => this.#log.warn('the list of erasures is written again'),
  });
  /** PERF: the list is read and written as a whole, and many accounts may be closed at once. */
  readonly #notings = new SharedRuns(() => this.#note());

  constructor(
    private readonly erasures: Erasures,
    @Inject(CONFIG) private readonly config: Pick<Config, 'dataDir'>,
  ) {}

  /** Has the list say all that the log does. Answers how many it did not. Throws ErasureListAway. */
  note(): Promise<number> {
    return this.#notings.run();
  }

  async noteAccount(userId: UserId, reopened?: number): Promise<void> {
    await this.erasures.noteAccount(userId, reopened);
    await this.note();
  }

  checkReopening(userId: UserId): Promise<void> {
    return this.erasures.checkReopening(userId);
  }

  async #note(): Promise<number> {
    const known = [...(await this.erasures.load()).values()].map(listed);
    try {
      const added = addToErasureList(erasureListIn(this.config.dataDir), known);
      if (added > 0) this.#outage.noteSuccess('write');
      return added;
    } catch (error) {
      if (!isOfDisk(error)) throw error;
      this.#outage.noteLoss('write', error.message);
      throw new ErasureListAway(error);
    }
  }

  /** The list and the log compared, both ways. Throws ConfigError where the list cannot be read: nobody knows then who is not to be there again. */
  async compare(): Promise<void> {
    const ordered = await this.apply(this.#read());
    if (ordered > 0) this.#log.warn({ ordered }, 'the log did not know of erasures: they are done again');
    await this.note();
  }

  #read(): ListedErasure[] {
    try {
      return readErasureList(erasureListIn(this.config.dataDir));
    } catch (error) {
      throw error instanceof ErasureListDamaged ? new ConfigError(error.message) : error;
    }
  }

  /** Orders those that the log does not know of. Answers how many. */
  async apply(list: readonly ListedErasure[]): Promise<number> {
    const known = [...(await this.erasures.load()).values()].map(listed);
    const lacked = lackedBy(known, list);
    for (const { at, ...order } of lacked) await this.erasures.order({ ...order, again: at }, 'server');
    return lacked.length;
  }
}
