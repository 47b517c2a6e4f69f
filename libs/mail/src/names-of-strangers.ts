import { serverNameOf, type UserId } from '#kernel/ids';

/** Of what people wrote themselves no more stands in a mail: it is to say who and where, and nothing else. */
const MOST_LETTERS = 60;
/** Controls, ends of lines, and what turns the direction of a text or cannot be seen. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;
/**
 * What a mail program makes a link of, or might: names of hosts, also with the full stop of Chinese and Japanese, which stands for a dot there, and addresses of
 * IPv4. Of the text with its compatible letters made plain, which has one dot for all others.
 */
const LIKE_AN_ADDRESS = /:\/\/|@|[^\s.。][.。]\p{L}[\p{L}\p{M}]|(?<!\d)\d{1,3}(?:[.。]\d{1,3}){3}(?!\d)/u;

/**
 * A name as a mail to a stranger may show it: on one line, short, and nothing that could be a link, for whoever invites chooses names as well. Undefined
 * where nothing is left, or it is none.
 */
export function nameForMail(name: unknown): string | undefined {
  if (typeof name !== 'string') return undefined;
  const seen = name.replaceAll(UNSEEN, ' ').replaceAll(/\s+/g, ' ').trim();
  const letters = [...seen];
  if (letters.length === 0 || LIKE_AN_ADDRESS.test(seen.normalize('NFKC'))) return undefined;
  return letters.length > MOST_LETTERS ? `${letters.slice(0, MOST_LETTERS).join('')}…` : seen;
}

/** Of user IDs that every server has: no blank, no end of a line, no slash, of which a link could be made. Servers take others of each other, and anybody has a server. */
const PLAIN_USER_ID = /^@[a-z0-9._=+-]{1,64}:/i;

/** Who somebody is, as a message to a stranger may say it: by their user ID, unless that holds more than a name. */
export function userForMail(userId: UserId): string {
  return PLAIN_USER_ID.test(userId) ? userId : `Somebody of ${serverNameOf(userId)}`;
}
