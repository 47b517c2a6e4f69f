import { isJsonObject, type JsonObject } from '#kernel/json';
import { type People, quoted, shortened } from './people.js';

/** A member event: who did it to whom, and what the member was before. */
export interface MembershipTold {
  readonly sender: unknown;
  readonly target: string;
  readonly content: JsonObject;
  /** The content of the member event before it; undefined where there was none. */
  readonly before: JsonObject | undefined;
}

/** What a member event did, in words that follow upon the name of its sender: "kicked bob: spam". */
export function tellMembership(told: MembershipTold, people: People): string {
  const { content } = told;
  const reason = content['reason'];
  const words = wordsOf(told, people);
  return typeof reason === 'string' && reason !== '' ? `${words}: ${shortened(reason)}` : words;
}

function wordsOf({ sender, target, content, before }: MembershipTold, people: People): string {
  const whom = people(target);
  const isOwn = sender === target;
  const was = before?.['membership'];
  switch (content['membership']) {
    case 'join':
      if (was === 'join') return profileChange(content, before ?? {});
      return was === 'invite' ? 'accepted the invitation and joined' : joined(content);
    case 'invite':
      return isJsonObject(content['third_party_invite'])
        ? `invited ${whom}, by a third-party invitation`
        : `invited ${whom}`;
    case 'knock':
      return 'asked to be let in';
    case 'ban':
      return `banned ${whom}`;
    case 'leave':
      return isOwn ? leftBy(was) : removedBy(was, whom);
    default:
      return `set the membership of ${whom} to ${quoted(content['membership'])}`;
  }
}

function joined(content: JsonObject): string {
  const by = content['join_authorised_via_users_server'];
  return typeof by === 'string' ? `joined, let in by ${shortened(by)}` : 'joined';
}

function leftBy(was: unknown): string {
  if (was === 'invite') return 'rejected the invitation';
  return was === 'knock' ? 'took back the wish to be let in' : 'left';
}

function removedBy(was: unknown, whom: string): string {
  if (was === 'invite') return `took back the invitation of ${whom}`;
  if (was === 'knock') return `refused to let ${whom} in`;
  return was === 'ban' ? `unbanned ${whom}` : `kicked ${whom}`;
}

function profileChange(content: JsonObject, before: JsonObject): string {
  const changes: string[] = [];
  const [name, oldName] = [content['displayname'], before['displayname']];
  if (name !== oldName) {
    if (name === undefined || name === null) changes.push(`took the display name ${quoted(oldName)} off`);
    else if (oldName === undefined || oldName === null) changes.push(`took the display name ${quoted(name)}`);
    else changes.push(`changed the display name from ${quoted(oldName)} to ${quoted(name)}`);
  }
  if (content['avatar_url'] !== before['avatar_url']) changes.push('changed the avatar');
  return changes.length === 0 ? 'joined again, changing nothing' : changes.join(' and ');
}
