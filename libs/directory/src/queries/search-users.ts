import { readIgnoredUsers } from '#accounts/queries/ignored-users';
import type { ReadableProfiles } from '#accounts/reading/readable-profiles';
import { foldUserId, isUserId, localpartOf, serverNameOf, type UserId } from '#kernel/ids';
import { Turn } from '#projections/turn';
import type { Views } from '#projections/views';
import { NAMED_USERS, USER_WORDS } from '../projections/names.projector.js';
import { wordsOf } from '../projections/words-of.js';
import { type SeenUser, Sight } from './sight.js';

/** A user in the answer to a search. */
export interface FoundUser {
  readonly user_id: UserId;
  readonly display_name?: string;
  readonly avatar_url?: string;
}

export interface UserSearch {
  readonly term: string;
  readonly limit: number;
}

export interface FoundUsers {
  readonly results: readonly FoundUser[];
  /** Whether there are more, or may be. */
  readonly limited: boolean;
}

/** The most users with a word of the term that are looked at, and the most room mates where these were not all. */
const MAX_SCANNED = 400;
const MAX_MATES = 2_000;
/** So many are found before the best of them are told. */
const MAX_FOUND = 100;
/** So many are looked at together. */
const GROUP = 20;
/** Above all characters. */
const LAST = '\u{10FFFF}';

/**
 * The users whose display name or id has words that begin with those of a term: client-server API, "User Directory". Of these
 * whoever shares a room with the reader, or is in a room that everybody may join or read, and nobody else; the reader only by
 * such a room, and whom they ignore not at all. What is told of somebody is what the reader may see of them anyway. The cost is
 * bounded: where more match than can be looked at, those are told that were found first, and the answer is `limited`.
 */
export async function searchUsers(
  views: Views,
  profiles: Pick<ReadableProfiles, 'find'>,
  reader: UserId,
  { term, limit }: UserSearch,
): Promise<FoundUsers> {
  const words = wordsOf(term);
  const beginning = longestOf(wordsOf(term.replace(/(?<=.):.*$/su, '')));
  if (beginning === undefined) return { results: [], limited: false };
  const ignored = await readIgnoredUsers(views, reader);
  const sight = new Sight(views, profiles, reader);
  const { candidates, isCut } = await findCandidates(views, sight, beginning);
  // Whoever is named in full is not to be missed for others with the same words.
  const id = term.trim();
  if (isUserId(id)) candidates.add(foldUserId(id, serverNameOf(reader)));
  const ids = [...candidates].filter((userId) => !ignored.has(userId));
  const found: SeenUser[] = [];
  const turn = new Turn(1);
  let looked = 0;
  for (; looked < ids.length && found.length < MAX_FOUND && !sight.isTired; looked += GROUP) {
    const group = await findNamed(views, ids.slice(looked, looked + GROUP), (known, userId) => {
      // PERF: mostly without the words of the server's name.
      return beginAll(known, words) || beginAll([...known, ...wordsOf(userId)], words);
    });
    const seen = await Promise.all(group.map((userId) => sight.find(userId)));
    for (const user of seen) if (user !== undefined && matches(user, words)) found.push(user);
    if (turn.isOver()) await turn.pass();
  }
  const isAll = !isCut && looked >= ids.length && !sight.isTired && found.length <= limit;
  return { results: bestOf(found, words, limit), limited: !isAll };
}

/** "Ordered by rank and then whether or not profile info is available." */
function bestOf(found: readonly SeenUser[], words: readonly string[], limit: number): FoundUser[] {
  const ranked = found.map((user) => ({ user, rank: rankOf(user, words) }));
  ranked.sort((a, b) => b.rank - a.rank || (a.user.userId < b.user.userId ? -1 : 1));
  return ranked.slice(0, limit).map(({ user: { userId: user_id, name, avatar } }) => {
    return { user_id, display_name: name, avatar_url: avatar };
  });
}

/** Who has a word that begins so. Where there are too many to look at all of them, the reader's room mates come first. */
async function findCandidates(
  views: Views,
  sight: Sight,
  beginning: string,
): Promise<{ candidates: Set<UserId>; isCut: boolean }> {
  const range = { from: [beginning, '' as UserId], before: [beginning + LAST, '' as UserId] } as const;
  const rows = await USER_WORDS.scan(views, { ...range, limit: MAX_SCANNED });
  const scanned = rows.map(({ key: [, userId] }) => userId);
  const isCut = rows.length === MAX_SCANNED;
  const mates = isCut ? await sight.listMates(MAX_MATES) : [];
  const named = await findNamed(views, mates, (known) => beginAll(known, [beginning]));
  return { candidates: new Set([...named, ...scanned]), isCut };
}

/** Those of some users by whose words they may be meant. Who has no words has left for good. */
async function findNamed(
  views: Views,
  userIds: readonly UserId[],
  mayBeMeant: (known: readonly string[], userId: UserId) => boolean,
): Promise<UserId[]> {
  const named = await NAMED_USERS.getMany(
    views,
    userIds.map((userId) => [userId]),
  );
  return userIds.filter((userId, i) => {
    const known = named[i]?.words ?? [];
    return known.length > 0 && mayBeMeant(known, userId);
  });
}

/** Whether each of the words begins a word of what the reader may see of the user. */
function matches({ userId, name }: SeenUser, words: readonly string[]): boolean {
  return beginAll([...wordsOf(userId), ...wordsOf(name ?? '')], words);
}

function beginAll(whole: readonly string[], beginnings: readonly string[]): boolean {
  return beginnings.every((beginning) => whole.some((word) => word.startsWith(beginning)));
}

function longestOf(words: readonly string[]): string | undefined {
  return words.toSorted((a, b) => b.length - a.length)[0];
}

/** Who is named exactly comes first, then whom the reader shares a room with, then who has a name, then who has an avatar. */
function rankOf({ userId, name, avatar, isMate }: SeenUser, words: readonly string[]): number {
  const wanted = words.join(' ');
  const isExact = [userId, localpartOf(userId), name ?? ''].some((text) => wordsOf(text).join(' ') === wanted);
  return 8 * Number(isExact) + 4 * Number(isMate) + 2 * Number(name !== undefined) + Number(avatar !== undefined);
}
