import { isUserId, localpartOf, type ServerName, serverNameOf } from '#kernel/ids';

/** How people are called in an audit: users of this server by what stands before the colon, all others by their whole id. */
export type People = (userId: unknown) => string;

/** How an audit of this server's log calls people; undefined: of a log that does not say whose it is. */
export function peopleOf(serverName: ServerName | undefined): People {
  return (userId) => {
    if (typeof userId !== 'string') return 'somebody';
    return isUserId(userId) && serverNameOf(userId) === serverName ? localpartOf(userId) : userId;
  };
}

const MOST_QUOTED = 200;

/** A text that somebody chose, in quotes, cut where it is long. */
export function quoted(text: unknown): string {
  const chosen = typeof text === 'string' ? text : JSON.stringify(text ?? null);
  return `"${shortened(chosen)}"`;
}

/** A text that somebody chose, cut where it is long. */
export function shortened(text: string, most = MOST_QUOTED): string {
  const characters = Array.from(text.slice(0, 2 * most + 2));
  return characters.length > most ? `${characters.slice(0, most).join('')}…` : text;
}
