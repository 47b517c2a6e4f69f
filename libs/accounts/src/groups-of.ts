import type { UserId } from '#kernel/ids';

/** What access lists and new rooms need of who keeps presence lists; `libs/ephemeral` implements it. */
export interface GroupsOf {
  /** The names of the groups of the owner's presence list in which a user is. */
  list(owner: UserId, member: UserId): Promise<readonly string[]>;
  /** Who is in a group of the owner's presence list; nobody where there is no such group. */
  listMembers(owner: UserId, group: string): Promise<readonly UserId[]>;
}

/** Injection token of the GroupsOf; where there is none, nobody is in any group. */
export const GROUPS_OF = Symbol.for('annals.GroupsOf');
