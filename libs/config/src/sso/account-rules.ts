import type { MappingReader } from '../yaml-mapping.js';

/** What becomes of somebody who has an account elsewhere and comes here. */
export interface AccountRules {
  /** Whether one is made here for who has none. */
  readonly makesAccounts: boolean;
  /** Whether an account that is here under the name that is theirs elsewhere is theirs too. */
  readonly linksExisting: boolean;
  /** Administrators, by the names of groups elsewhere; undefined: groups say nothing of that. */
  readonly adminGroups?: readonly string[];
  /** The rooms that the members of a group come to, by its name. */
  readonly roomsOfGroups: ReadonlyMap<string, readonly string[]>;
  /** Who invites them where a room lets in only who is invited: a user id. */
  readonly inviter?: string;
}

const isRoom = (text: string): boolean => /^[#!][^\s,]+$/.test(text);

/** The part of a provider's or a directory's settings that says so. */
export function readAccountRules(from: MappingReader): AccountRules {
  const rooms = from.within('room_groups');
  const roomsOfGroups = new Map(
    rooms.keys.map((group) => [group, rooms.getTexts(group, 'rooms (#alias:example.org, !id)', [], isRoom)]),
  );
  const inviter = from.findText('room_inviter', 'a user id', (text) => /^@[^\s:]+:\S+$/.test(text));
  return Object.freeze({
    makesAccounts: from.getFlag('new_accounts', true),
    linksExisting: from.getWord('existing_accounts', ['refuse', 'link']) === 'link',
    ...(from.has('admin_groups') ? { adminGroups: from.getTexts('admin_groups', 'names of groups') } : {}),
    roomsOfGroups,
    ...(inviter === undefined ? {} : { inviter }),
  });
}
