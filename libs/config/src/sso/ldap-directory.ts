import type { AccountRules } from './account-rules.js';

/** What stands for the name of whoever logs in, and for their entry's name. */
export const USER_PLACE = '{user}';
export const DN_PLACE = '{dn}';

/** An LDAP directory whose people have accounts here, by the passwords that they have there. Frozen. */
export interface LdapDirectory {
  /** `ldap://` or `ldaps://`, host and port. */
  readonly url: string;
  readonly startTls: boolean;
  /** Authorities that vouch for its certificate (PEM), instead of those that Node brings. */
  readonly ca?: string;
  /** By whom people are looked for; absent where the name of their entry is known: `userDn`. */
  readonly bind?: { readonly dn: string; readonly password: string };
  /** The name of somebody's entry, with `USER_PLACE`. */
  readonly userDn?: string;
  readonly base: string;
  /** Whom to look for, with `USER_PLACE`, and what all that may log in are. */
  readonly filter: string;
  readonly active?: string;
  readonly attributes: LdapAttributes;
  readonly groups?: LdapGroups;
  readonly rules: AccountRules;
}

export interface LdapAttributes {
  /** What somebody is known by for ever. */
  readonly id: string;
  readonly userName: string;
  readonly displayName: string;
  /** A mail address that is theirs; absent: there is none. */
  readonly email?: string;
  /** Names of groups, or of their entries; absent: there is none. */
  readonly groups?: string;
}

/** Where groups are looked for that the entries of people do not name. */
export interface LdapGroups {
  readonly base: string;
  /** With `DN_PLACE` or `USER_PLACE`. */
  readonly filter: string;
  /** The attribute that has the name of a group. */
  readonly name: string;
}
