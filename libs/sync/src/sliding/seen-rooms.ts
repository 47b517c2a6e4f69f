import { Inject, Injectable } from '@nestjs/common';
import type { RoomId, UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { laterOf, type Position, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { type Reader, refusesInvitations } from '#rooms/reading/reader';
import { hasForgotten, listStandings } from '#rooms/reading/standing';
import { findMemberAt } from '../streams/membership-over.js';
import { type ActiveUser, isAway, type KnownRoom } from '../notifier/active-user.js';
import { byPlace, KnownRooms, type ListedRoom, merged } from './known-rooms.js';
import { isSeenEncrypted } from './seen-encryption.js';

/** What a room was to its user before an invitation; undefined: nothing. */
interface Before {
  /** Where the invitation stands. */
  readonly at: Position;
  readonly room: ListedRoom | undefined;
}

const INVITATIONS = 10_000;

/**
 * The rooms of users who use sliding sync as they see them: who is invited by somebody whom they ignore is told nothing of that, and the
 * room is to them what it was before.
 */
@Injectable()
export class SeenRooms {
  readonly #before = new LruCache<string, Before>(INVITATIONS);

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly known: KnownRooms,
  ) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#before.numbers;
  }

  /** All rooms that a user has or had to do with, and those that they know of: the one with the last activity first. `until`: the end of the answer. */
  async list(
    user: ActiveUser,
    reader: Reader,
    until: Position,
  ): Promise<{ all: readonly ListedRoom[]; seen: readonly ListedRoom[] }> {
    const all = await this.known.list(user);
    const isHidden = ({ roomId, known: { membership, by } }: ListedRoom): boolean =>
      membership === 'invite' && by !== undefined && refusesInvitations(reader, roomId, by);
    const hidden =
      reader.ignored.size === 0 && reader.rules === undefined && reader.held === undefined ? [] : all.filter(isHidden);
    if (hidden.length === 0) return { all, seen: all };
    const before: ListedRoom[] = [];
    for (const room of hidden) {
      const was = await this.#beforeInvitation(user.userId, room, until);
      if (was !== undefined) before.push(was);
    }
    const seen = merged(
      before.sort(byPlace),
      all.filter((room) => !isHidden(room)),
    );
    return { all, seen };
  }

  /** What a room was before its user's last invitation. PERF: read once of each, for it is asked for with each answer. */
  async #beforeInvitation(userId: UserId, room: ListedRoom, until: Position): Promise<ListedRoom | undefined> {
    const at = room.known.position;
    const key = `${userId} ${room.roomId}`;
    const kept = this.#before.get(key);
    if (kept?.at === at) return kept.room;
    const found = await findBefore(this.views, room.roomId, userId, room.known);
    const was = found && {
      ...room,
      ...found,
      place: found.known.position,
      bump: found.known.position,
      isEncrypted: room.isEncrypted && (await isSeenEncrypted(this.views, room.roomId, userId, found.known)),
    };
    // Views may lack what came after the end of the answer.
    if (at <= until) this.#before.set(key, { at, room: was });
    return was;
  }
}

/** What its user was in a room before an invitation; undefined: nothing. */
async function findBefore(
  views: Views,
  roomId: RoomId,
  userId: UserId,
  { position, wasIn }: KnownRoom,
): Promise<Required<Pick<ListedRoom, 'known' | 'invitedAt'>> | undefined> {
  const [last, previous] = await listStandings(views, roomId, userId, { upTo: position, limit: 2 });
  const isInvited = last?.membership === 'invite';
  const before = isInvited ? previous : last;
  if (before === undefined) return undefined;
  // Where the room forked an invitation may take the place of a join: they are not in it any more.
  const invitedAt = isInvited ? last.since : position;
  if (before.membership === 'join') return { known: { membership: 'leave', position, forgotten: false }, invitedAt };
  const place = isInvited ? { before: invitedAt } : position;
  const row = await findMemberAt({ views, roomId, reader: { userId } }, before, place);
  const sender = row?.header.sender;
  const at = row?.header.position;
  const known = {
    membership: before.membership,
    position: laterOf(before.since, at ?? START),
    forgotten: isAway(before.membership) && wasIn === undefined && (await hasForgotten(views, roomId, userId)),
    ...(sender === undefined || sender === userId ? {} : { by: sender }),
    ...(wasIn === undefined ? {} : { wasIn }),
  };
  return { known, invitedAt };
}
