import { Injectable } from '@nestjs/common';
import { MatrixError } from '#kernel/matrix-error';
import { PasswordHasher } from '../credentials/password-hasher.js';
import { WhosePassword } from './whose-password.js';

/** The passwords that operators and administrators give to accounts. */
@Injectable()
export class NewPasswords {
  constructor(
    private readonly hasher: PasswordHasher,
    private readonly whose: WhosePassword,
  ) {}

  /** Whether any counts here. */
  get count(): boolean {
    return this.whose.areAnyOurs;
  }

  /** What the log has of one. Throws M_FORBIDDEN where none counts, and as `PasswordHasher.hash`. */
  async hash(password: string): Promise<string> {
    if (!this.count) {
      throw new MatrixError('M_FORBIDDEN', 'No password counts here: another service says who somebody is');
    }
    return this.hasher.hash(password);
  }
}
