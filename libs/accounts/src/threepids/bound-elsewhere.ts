import type { UserId } from '#kernel/ids';
import type { Threepid } from './threepid.js';

/** Whether identity servers know no more of an identifier: client-server API, `id_server_unbind_result`. */
export type UnbindResult = 'success' | 'no-support';

/** What accounts need of who makes identifiers known to identity servers; `libs/identity` implements it. */
export interface BoundElsewhere {
  /**
   * Has an identifier known as the user's no more, where the identity server is named by that, else by all through which it was made known.
   * `no-support` where none was, or one refuses, is away, or may not be asked. Throws M_INVALID_PARAM for what names none.
   */
  forget(userId: UserId, threepid: Threepid, idServer?: unknown): Promise<UnbindResult>;
  /**
   * The same for all of a user's, whose account ends: looks at them before it does, and answers what has them forgotten once it has. `threepids`: those of the
   * account. `no-support` also where one of these was not made known through this server, for nobody knows where else it was. Throws as `forget`.
   */
  planForgetting(
    userId: UserId,
    threepids: readonly Threepid[],
    idServer?: unknown,
  ): Promise<() => Promise<UnbindResult>>;
}

/** Injection token of the BoundElsewhere; where there is none, nothing was ever made known. */
export const BOUND_ELSEWHERE = Symbol.for('annals.BoundElsewhere');
