import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { Accounts } from '../accounts.js';
import { PasswordAuthorities } from './password-authorities.js';

/**
 * Whose the password of somebody is: this server's, or of somebody else, who then says alone who gets in by it, so that whom they keep out
 * is out here too. A password that an account has here is this server's, whoever else knows one of theirs: an operator has set it, or it
 * was there before.
 */
@Injectable()
export class WhosePassword {
  constructor(
    private readonly accounts: Accounts,
    private readonly authorities: PasswordAuthorities,
    @Inject(CONFIG) private readonly config: Pick<Config, 'mas'>,
  ) {}

  /** Whether any is: none where another service says who everybody is. */
  get areAnyOurs(): boolean {
    return this.config.mas === undefined;
  }

  async isOurs(userId: UserId): Promise<boolean> {
    if (!this.areAnyOurs) return false;
    const { passwordHash } = await this.accounts.load(userId);
    return passwordHash !== undefined || !(await this.authorities.areFor(userId));
  }

  /** Throws M_FORBIDDEN where it is somebody else's. */
  async check(userId: UserId): Promise<void> {
    if (!(await this.isOurs(userId))) throw new MatrixError('M_FORBIDDEN', KEPT_ELSEWHERE);
  }
}

/** What is said of one that is not. */
export const KEPT_ELSEWHERE = 'Your password is kept in another place: change it there';
