import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '#kernel/clock';
import { type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { EVENT_AUTHOR, type EventAuthor, type EventDraft } from '../decide/decide-event.js';
import { isMergeDue } from '../receive/extremities-beside.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { ROOM_MEMBERS } from '../projections/membership.projector.js';

/** NOTSPEC: what servers in use call an event that says nothing: it merges. Clients do not show what they do not know. */
const SAYS_NOTHING = 'org.matrix.dummy_event';
/**
 * With more than so many open, and nobody here who may say anything, somebody's member event is sent once more as it is: who is in a room
 * may say so at whatever power level. Clients are told of it, so not for a few.
 */
const MOST_WITHOUT_VOICE = 100;
/** How many users are tried. */
const MOST_TRIED = 10;
/** Each event brings up to twenty extremities together. */
const MOST_MERGES = 50;
/** Milliseconds after which it is tried again where nobody here might; at once where so many are open meanwhile that more is tried. */
const PAUSE = 60_000;
const ROOMS_REMEMBERED = 10_000;

/**
 * Brings the extremities of a room together where so many are open that one of ours is due: by an event of a user of this server who may
 * speak there or, where many are open, who is there. Each event that is received asks for it anew, so nothing is lost with the process.
 * Where nobody may, the extremities stay open until somebody here says something, and are bounded all the same (`judgePdu`).
 */
@Injectable()
export class ExtremityMerging {
  /** Rooms where nobody might, when, and how many were open then. */
  readonly #vain = new LruCache<RoomId, { readonly at: number; readonly open: number }>(ROOMS_REMEMBERED);

  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#vain.numbers;
  }

  /**
   * Brings extremities together as long as that is due, and somebody here may speak. `open`: how many there are. Throws where the log
   * or the views cannot be reached.
   */
  async merge(roomId: RoomId, open: number): Promise<void> {
    if (!isMergeDue(open) || this.#isVain(roomId, open)) return;
    const users = await this.#findUsers(roomId);
    for (let merges = 0; merges < MOST_MERGES; merges++) {
      const { kind, open: left } = await this.#mergeSome(roomId, users, open);
      if (kind === 'nobody') this.#vain.set(roomId, { at: this.clock.now(), open: left });
      if (kind !== 'merged') return;
    }
  }

  async #mergeSome(roomId: RoomId, users: readonly UserId[], open: number): Promise<Merge> {
    try {
      const actor = this.author.serverName;
      return (await this.workers.run(roomId, { actor }, (turn) => mergeInTurn(turn, users))).result;
    } catch (error) {
      // The policy may be against it, which is no fault of what was received.
      if (error instanceof MatrixError) return { kind: 'nobody', open };
      throw error;
    }
  }

  /** Whether what there is to try was tried a while ago. A clock that was set back lets nobody wait longer. */
  #isVain(roomId: RoomId, open: number): boolean {
    const tried = this.#vain.get(roomId);
    if (tried === undefined || Math.abs(this.clock.now() - tried.at) >= PAUSE) return false;
    return open <= MOST_WITHOUT_VOICE || tried.open > MOST_WITHOUT_VOICE;
  }

  /** Some users of this server who are in the room, as far as the views know. */
  async #findUsers(roomId: RoomId): Promise<UserId[]> {
    const users: UserId[] = [];
    for await (const rows of ROOM_MEMBERS.pages(this.views, { prefix: [roomId, 'join'] })) {
      const ids = rows.map(({ key }) => key[2]);
      users.push(...ids.filter((userId) => serverNameOf(userId) === this.author.serverName));
      if (users.length >= MOST_TRIED) break;
    }
    return users.slice(0, MOST_TRIED);
  }
}

interface Merge {
  readonly kind: 'merged' | 'not due' | 'nobody';
  /** How many extremities there were before. */
  readonly open: number;
}

/** Brings some extremities together where that is due. A task each: all that one writes has to go into the log at once, but for parts. */
async function mergeInTurn(turn: RoomTurn, users: readonly UserId[]): Promise<Merge> {
  const open = turn.head.extremities.length;
  if (!isMergeDue(open)) return { kind: 'not due', open };
  return { kind: (await sendAsOneOf(turn, users)) ? 'merged' : 'nobody', open };
}

async function sendAsOneOf(turn: RoomTurn, users: readonly UserId[]): Promise<boolean> {
  for (const sender of users) {
    if (await sendIfAllowed(turn, { type: SAYS_NOTHING, sender, content: {} })) return true;
  }
  if (turn.head.extremities.length <= MOST_WITHOUT_VOICE) return false;
  for (const sender of users) {
    const member = await turn.findState('m.room.member', sender);
    if (member?.content['membership'] !== 'join') continue;
    // Who is in the room needs nobody to let them in, nor another server to sign that.
    const { join_authorised_via_users_server: _, ...content } = member.content;
    if (await sendIfAllowed(turn, { type: 'm.room.member', stateKey: sender, sender, content })) return true;
  }
  return false;
}

/** Answers whether the rules let it be sent. */
async function sendIfAllowed(turn: RoomTurn, draft: EventDraft): Promise<boolean> {
  try {
    await turn.send(draft);
    return true;
  } catch (error) {
    if (error instanceof MatrixError) return false;
    throw error;
  }
}
