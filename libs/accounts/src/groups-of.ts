import type { UserId } from '#kernel/ids';

/** What access lists need of who keeps presence lists; `libs/ephemeral` implements it. */
export interface GroupsOf {
  /** The names of the groups of the owner's presence list in which a user is. */
  list(owner: UserId, member: UserId): Promise<readonly string[]>;
}

/** Injection token of the GroupsOf; where there is none, nobody is in any group. */
export const GROUPS_OF = Symbol.for('annals.GroupsOf');
