import { Inject, Injectable } from '@nestjs/common';
import { checkNoAdministrator } from '#accounts/check-no-administrator';
import { checkNotNotices } from '#accounts/check-not-notices';
import { findAccount } from '#accounts/queries/find-account';
import { findLocalUserId } from '#accounts/user-ids';
import { CONFIG, type Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { type ListedErasure } from './erasure-list.js';
import { type Erasure, type ErasureProgress, Erasures } from './erasures.js';
import { ErasuresAgain } from './erasures-again.js';

/** An erasure, and how far it is where this process carries it out. */
export interface ShownErasure extends Erasure {
  readonly progress?: ErasureProgress;
}

/** What operators have erased. Users are named by their ids, or by what stands before the colon. */
@Injectable()
export class ErasureAdministration {
  constructor(
    private readonly erasures: Erasures,
    private readonly again: ErasuresAgain,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'notices'>,
  ) {}

  /**
   * Orders that all that a user has said and kept goes, and their account with it; answers the id of the erasure once the list beside the log has it,
   * too. `here`: no other server is told.
   * Throws as `find`; M_FORBIDDEN for an administrator, unless the operator of the server asks (`server`).
   */
  async order(name: string, { here }: { readonly here: boolean }, actor: string): Promise<string> {
    const userId = await this.find(name);
    if (actor !== 'server') checkNoAdministrator(await findAccount(this.views, userId));
    const id = await this.erasures.order({ user_id: userId, content: true, ...(here ? { here } : {}) }, actor);
    await this.again.note();
    return id;
  }

  /** Of whom an operator speaks. Throws M_INVALID_PARAM, M_NOT_FOUND; M_FORBIDDEN for the user of the server's notices, of whom all users hold some. */
  async find(name: string): Promise<UserId> {
    const userId = findLocalUserId(name, this.config.serverName);
    if (userId === undefined)
      throw new MatrixError('M_INVALID_PARAM', `${name} is not a user of ${this.config.serverName}`);
    if ((await findAccount(this.views, userId)) === undefined) throw new MatrixError('M_NOT_FOUND', 'No such user');
    checkNotNotices(userId, this.config);
    return userId;
  }

  /** Throws M_NOT_FOUND. */
  async status(id: string): Promise<ShownErasure> {
    const erasure = (await this.erasures.load()).get(id);
    if (erasure === undefined) throw new MatrixError('M_NOT_FOUND', `There is no erasure ${id}`);
    return this.#shown(erasure);
  }

  /** All of them, the first first. */
  async list(): Promise<ShownErasure[]> {
    return [...(await this.erasures.load()).values()].map((erasure) => this.#shown(erasure));
  }

  #shown(erasure: Erasure): ShownErasure {
    const progress = this.erasures.findProgress(erasure.erasure_id);
    return progress === undefined ? erasure : { ...erasure, progress };
  }

  /** Has those of a list carried out that the log does not know of. Answers how many. */
  apply(list: readonly ListedErasure[]): Promise<number> {
    return this.again.apply(list);
  }
}
