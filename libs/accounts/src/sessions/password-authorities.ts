import { Injectable } from '@nestjs/common';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';

/** Somebody else who knows passwords of people here, as a directory does. */
export interface PasswordAuthority {
  /** Whether an account that is here is one of theirs. */
  isFor(userId: UserId): Promise<boolean>;
  /**
   * Whose account here it is whose password this is there, `userId` being the name that was said; the account may be made by that. Undefined
   * where it is wrong. Throws a MatrixError where nobody can be asked, or the account may not be used, and TooManyGuesses.
   */
  verify(userId: UserId, password: string): Promise<UserId | undefined>;
}

/** Passwords of one person there are guessed, by whatever names they are called. */
export class TooManyGuesses extends MatrixError {
  constructor({ errcode, message, status, fields }: MatrixError) {
    super(errcode, message, { status, ...(fields === undefined ? {} : { fields }) });
  }
}

/** All of them: what lies above adds its own as it is made. Each is asked where the password is none that is kept here. */
@Injectable()
export class PasswordAuthorities {
  readonly #all: PasswordAuthority[] = [];

  add(authority: PasswordAuthority): void {
    this.#all.push(authority);
  }

  async areFor(userId: UserId): Promise<boolean> {
    for (const authority of this.#all) if (await authority.isFor(userId)) return true;
    return false;
  }

  async verify(userId: UserId, password: string): Promise<UserId | undefined> {
    for (const authority of this.#all) {
      const theirs = await authority.verify(userId, password);
      if (theirs !== undefined) return theirs;
    }
    return undefined;
  }
}
