import { serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import type { Views } from '#projections/views';
import { compileGlob, type TextMatcher } from '#protocol/glob';
import { ACCOUNT_DATA } from '../projections/account-data-row.js';

/** What becomes of an invitation: it is refused (`block`), or taken and never shown (`ignore`). */
export type InviteRule = 'allow' | 'ignore' | 'block';

/** Whose invitations a user wants. */
export interface InviteRules {
  ruleFor(sender: UserId): InviteRule;
  /** Whether invitations into one-to-one chats may be held: the user says something of these. */
  readonly mayHold: boolean;
}

/** Client-server API, "Invite permission". */
const CONFIG = 'm.invite_permission_config';
/** MSC4155, which is no part of the specification. */
const LISTS_CONFIG = 'org.matrix.msc4155.invite_permission_config';
/** The account data that says who may ask somebody into a one-to-one chat: 2015, "Presence". A type of our own. */
export const ONE_TO_ONE_INVITES = 'dev.annals.one_to_one_invites';
/** So many entries of a list are looked at: each costs something with each invitation, and with each look at those that are there. */
const MOST = 1_000;

const ORDER = [
  ['users', 'allowed', 'allow'],
  ['users', 'ignored', 'ignore'],
  ['users', 'blocked', 'block'],
  ['servers', 'allowed', 'allow'],
  ['servers', 'ignored', 'ignore'],
  ['servers', 'blocked', 'block'],
] as const;

/**
 * What a user's account data says of invitations: m.invite_permission_config, which refuses all of them, and before that the lists of MSC4155, of
 * which the first that names the sender, or their server, decides. Undefined where it says nothing. What is not of their form counts for nothing.
 */
export async function readInviteRules(views: Pick<Views, 'getMany'>, userId: UserId): Promise<InviteRules | undefined> {
  const rows = await ACCOUNT_DATA.getMany(
    views,
    [CONFIG, LISTS_CONFIG, ONE_TO_ONE_INVITES].map((type) => [userId, '', type]),
  );
  const [config, lists] = rows.map((row) => (row === undefined ? undefined : (JSON.parse(row.content) as JsonObject)));
  const mayHold = rows[2] !== undefined;
  if (config?.['default_action'] === 'block') return { ruleFor: () => 'block', mayHold };
  const ruleFor = lists === undefined || lists['enabled'] === false ? undefined : ruleOfLists(lists);
  if (ruleFor === undefined) return mayHold ? { ruleFor: () => 'allow', mayHold } : undefined;
  return { ruleFor, mayHold };
}

function ruleOfLists(lists: JsonObject): InviteRules['ruleFor'] | undefined {
  const rules = ORDER.flatMap(([of, kind, rule]) => {
    const matchers = matchersIn(lists[`${kind}_${of}`]);
    return matchers.length === 0 ? [] : [{ of, matchers, rule }];
  });
  if (rules.length === 0) return undefined;
  return (sender) => {
    const named = { users: sender, servers: serverNameOf(sender) };
    return rules.find(({ of, matchers }) => matchers.some((matches) => matches(named[of])))?.rule ?? 'allow';
  };
}

function matchersIn(list: JsonValue | undefined): TextMatcher[] {
  if (!Array.isArray(list)) return [];
  return list
    .slice(0, MOST)
    .filter((glob) => typeof glob === 'string')
    .map(compileGlob);
}
