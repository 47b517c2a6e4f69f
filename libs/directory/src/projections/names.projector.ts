import type { AccountFact } from '#accounts/facts/account-facts';
import type { RecordedFact } from '#event-store/event-store';
import { type Answer, forEachInOrder, whenThere } from '#kernel/answer';
import { type EventId, localpartOf, type UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { userIdOfStream } from '#kernel/user-stream';
import { asJson, asMark, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { currentMembersOf, type RoomFactReader } from '#rooms/projections/room-fact-reader';
import { wordsOf } from './words-of.js';

/** By which words a user is looked for. */
export interface NamedUser {
  readonly words: readonly string[];
  /** Those of one whose account is closed, for when it is opened again. */
  readonly hidden?: readonly string[];
  /** The position of what was taken in last. */
  readonly position: Position;
  /** Of a user of another server: the member event that the name is from. Users of ours have a profile for that. */
  readonly from?: EventId;
}

export const NAMED_USERS = new Collection<readonly [userId: UserId], NamedUser>('named-users', {
  key: ['user'],
  says: 'the words of their name and id, and where the name is from',
  codec: asJson(),
});

export const USER_WORDS = new Collection<readonly [word: string, userId: UserId], true>('user-words', {
  key: ['word of a name or an id, folded', 'user'],
  says: 'that the user is looked for by it',
  codec: asMark,
});

const OF_ACCOUNTS: ReadonlySet<string> = new Set<AccountFact['type']>([
  'account-registered',
  'profile-changed',
  'account-deactivated',
  'account-reopened',
]);

/**
 * The words that users are looked for by: those of their user id, and those of the name in the profile of who has an account
 * here, or in the last event by which anybody else joined a room. Who may find whom is not told here: what somebody is called
 * in one room is no business of another, so whoever looks here holds what is found against what the reader may see.
 */
export function namesProjector(reader: RoomFactReader): Projector {
  return {
    name: 'names',
    version: 2,
    ...owning(NAMED_USERS, USER_WORDS),
    handles: (type) =>
      OF_ACCOUNTS.has(type) || type === 'pdu-accepted' || type === 'state-taken' || type === 'pdu-redacted',
    project(fact, rows) {
      if (OF_ACCOUNTS.has(fact.type)) return noteAccount(fact, rows);
      if (fact.type === 'pdu-redacted') return noteRedaction(reader, fact, rows);
      const accepted = reader.findStateChange(fact);
      const members = accepted === undefined ? [] : currentMembersOf(accepted);
      const joined = members.filter(({ content }) => content['membership'] === 'join');
      return joined.length === 0 ? undefined : noteMembers(fact.position, joined, rows);
    },
  };
}

async function noteAccount(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfStream(fact.stream);
  const { position } = fact;
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact;
  if (type === 'account-registered') return note(rows, userId, { words: wordsOfUser(userId), position });
  // The row stays: it says that what member events call them does not count.
  if (type === 'account-deactivated') {
    const before = await NAMED_USERS.get(rows, [userId]);
    const hidden = data.erase ? {} : { hidden: before?.words };
    return noteUpon(before, rows, userId, { words: [], ...hidden, position });
  }
  if (type === 'account-reopened') {
    const before = await NAMED_USERS.get(rows, [userId]);
    return noteUpon(before, rows, userId, { words: before?.hidden ?? wordsOfUser(userId), position });
  }
  if (type !== 'profile-changed' || data.key !== 'displayname') return undefined;
  const name = data.removed === true ? undefined : data.value;
  return note(rows, userId, { words: wordsOfUser(userId, name), position });
}

function noteMembers(position: Position, joined: ReturnType<typeof currentMembersOf>, rows: OwnRows): Answer<void> {
  return forEachInOrder(joined, ({ change, content }) => {
    const userId = change.state_key as UserId; // as far as anybody asks for it
    return whenThere(NAMED_USERS.get(rows, [userId]), (before) => {
      if (before !== undefined && before.from === undefined) return;
      const words = wordsOfUser(userId, content['displayname']);
      noteUpon(before, rows, userId, { words, position, from: change.event_id });
    });
  });
}

async function noteRedaction(reader: RoomFactReader, fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { data } = reader.redacted(fact);
  const { type, state_key: userId } = data.pdu;
  if (type !== 'm.room.member' || typeof userId !== 'string') return;
  const before = await NAMED_USERS.get(rows, [userId as UserId]);
  if (before?.from !== data.event_id) return;
  const words = wordsOfUser(userId as UserId);
  await note(rows, userId as UserId, { words, position: fact.position, from: data.event_id });
}

function wordsOfUser(userId: UserId, name?: unknown): string[] {
  return [...new Set([...wordsOf(localpartOf(userId)), ...wordsOf(typeof name === 'string' ? name : '')])];
}

async function note(rows: OwnRows, userId: UserId, user: NamedUser): Promise<void> {
  noteUpon(await NAMED_USERS.get(rows, [userId]), rows, userId, user);
}

function noteUpon(before: NamedUser | undefined, rows: OwnRows, userId: UserId, user: NamedUser): void {
  // Applied before, and maybe a newer one since.
  if (before !== undefined && before.position >= user.position) return;
  const gone = new Set(before?.words);
  for (const word of user.words) {
    if (!gone.delete(word)) USER_WORDS.put(rows, [word, userId], true);
  }
  for (const word of gone) USER_WORDS.delete(rows, [word, userId]);
  NAMED_USERS.put(rows, [userId], user);
}
