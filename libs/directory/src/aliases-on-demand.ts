import type { RoomAlias } from '#kernel/ids';

/** What the directory needs of who makes rooms once somebody asks for their alias; `libs/appservices` implements it. */
export interface AliasesOnDemand {
  /**
   * Has an alias of this server made that is not there, where somebody does so; settles once that is done, or not. Throws M_UNKNOWN with
   * status 408 where who makes them does not answer, and where the views are away.
   */
  make(alias: RoomAlias): Promise<void>;
}

/** Injection token of the AliasesOnDemand; where there are none, nobody does. */
export const ALIASES_ON_DEMAND = Symbol.for('annals.AliasesOnDemand');
