import type { UserId } from '#kernel/ids';

/** What accounts and rooms need of who makes accounts once somebody asks for them; `libs/appservices` implements it. */
export interface UsersOnDemand {
  /**
   * Has an account made of a user id of this server that nobody has registered, where somebody does so; settles once that is done, or not.
   * Whoever asked finds the account or does not. Throws where the log is away, and nothing else.
   */
  make(userId: UserId): Promise<void>;
  /**
   * As `make`, for who is only looked at, by whomever: not asked for again for a minute, and not where many others are just then.
   */
  makeForLook(userId: UserId): Promise<void>;
}

/** Injection token of the UsersOnDemand; where there are none, nobody does. */
export const USERS_ON_DEMAND = Symbol.for('annals.UsersOnDemand');
