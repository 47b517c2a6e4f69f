import { Injectable } from '@nestjs/common';
import type { RoomId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { Requester } from '#kernel/requester';
import type { TimelineRow } from '#rooms/projections/timeline-row';

/** The last member event of each member of each room that a client has, as it has it. Never changed once it is known of a token. */
type Known = ReadonlyMap<string, Version>;

/** The id of a member event and, of one that it has as a redaction left it, that of the redaction. */
type Version = string;

const NOTHING: Known = new Map();
const DEVICES = 5_000;
const MEMBERS = 1_000;
/** Of all devices together: some 200 MB at the most. */
const ALL_MEMBERS = 1_000_000;
/** A client asks with its last token, or with the one before where an answer was lost; a second loop has tokens of its own. */
const TOKENS_PER_DEVICE = 4;

/**
 * Which member events a client has, so that they are not sent again (client-server API, "Lazy-loading room members").
 *
 * What was sent counts for who comes with the token of the very answer that it was in: an answer may be lost, and the same
 * token asked with again; and one device may run several loops, each with tokens of its own. Where two answers ended at the
 * same token, what both leave known counts. What is forgotten is sent once more, which does no harm. Answers whose members are
 * not loaded lazily are not remembered: a client that loads them lazily does so in each of its requests.
 */
@Injectable()
export class LazyMembers {
  readonly #devices = new LruCache<string, KnownByTokens>(DEVICES, {
    most: ALL_MEMBERS,
    weigh: ({ size }) => size,
  });
  /** How many answers were opened; and when a device was forgotten last, with what is known of all its tokens. */
  #opened = 0;
  #forgottenAt = 0;

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#devices.numbers;
  }

  /**
   * Opens what is known for an answer to a request with this token (undefined for a client that begins anew), whose members
   * are loaded lazily or not.
   */
  open({ userId, deviceId }: Requester, since: string | undefined, isLazy: boolean): AnsweredMembers {
    if (!isLazy) return new AnsweredMembers(NOTHING, () => {});
    const device = `${userId} ${deviceId}`;
    const known = since === undefined ? undefined : this.#devices.get(device)?.find(since);
    const opened = ++this.#opened;
    return new AnsweredMembers(known ?? NOTHING, (until, left) => {
      const tokens = this.#devices.get(device) ?? new KnownByTokens(this.#forgottenAt);
      tokens.keep(until, { known: left, opened }, this.#opened);
      const { evictions } = this.numbers;
      this.#devices.set(device, tokens);
      if (this.numbers.evictions > evictions) this.#forgottenAt = this.#opened;
    });
  }
}

/** What is known by a token, and the how many-th answer that ended there it was that was opened. */
interface KnownBy {
  readonly known: Known;
  readonly opened: number;
}

/** What is known of one device by the tokens of its last answers. */
class KnownByTokens {
  /** The one used longest ago first. */
  readonly #tokens = new Map<string, KnownBy>();

  /** `forgottenAt`: how many answers were opened when a token was forgotten last. */
  constructor(private forgottenAt: number) {}

  /** How many member events are known. */
  get size(): number {
    // Several tokens know the same where nothing was sent between them.
    const all = new Set([...this.#tokens.values()].map(({ known }) => known));
    return [...all].reduce((sum, { size }) => sum + size, 0);
  }

  find(token: string): Known | undefined {
    const found = this.#tokens.get(token);
    if (found !== undefined) this.#use(token, found);
    return found?.known;
  }

  /**
   * Notes what an answer leaves known; `now`: how many have been opened. Where its token may have been forgotten meanwhile, that is nothing: another answer that ended there may
   * have left less, and what both leave known is not told any more.
   */
  keep(token: string, { known, opened }: KnownBy, now: number): void {
    const other = this.#tokens.get(token) ?? { known: opened <= this.forgottenAt ? NOTHING : known, opened };
    this.#use(token, { ...other, known: inBoth(other.known, known) });
    if (this.#tokens.size > TOKENS_PER_DEVICE) this.#forgetOne(now);
  }

  #use(token: string, found: KnownBy): void {
    this.#tokens.delete(token);
    this.#tokens.set(token, found);
  }

  /** Not the newest: answers that are opened from here on may end there, too; at none of the others, as time goes on. */
  #forgetOne(now: number): void {
    const newest = Math.max(...[...this.#tokens.values()].map(({ opened }) => opened));
    const [token] = [...this.#tokens].find(([, { opened }]) => opened !== newest)!;
    this.#tokens.delete(token);
    this.forgottenAt = now;
  }
}

/** The member events that one answer sends, beside what its reader has. */
export class AnsweredMembers {
  readonly #sent = new Map<string, Version>();
  readonly #anew = new Set<RoomId>();

  constructor(
    private readonly known: Known,
    private readonly keep: (until: string, left: Known) => void,
  ) {}

  /** The answer tells of a room as to who has nothing of it: what they had before that they may have let go of. */
  tellAnew(roomId: RoomId): void {
    this.#anew.add(roomId);
  }

  /** Whether the reader has this very member event, and as it is now, as the last one of its member in that room. */
  isKnown(roomId: RoomId, row: TimelineRow): boolean {
    return !this.#anew.has(roomId) && this.known.get(keyOf(roomId, row.header.stateKey)) === versionOf(row);
  }

  /** Notes the member events among those that the answer sends. */
  note(roomId: RoomId, rows: readonly TimelineRow[]): void {
    for (const row of rows)
      if (row.header.membership !== undefined) this.#sent.set(keyOf(roomId, row.header.stateKey), versionOf(row));
  }

  /** The answer goes out, and ends with this token. */
  sendUntil(token: string): void {
    this.keep(token, this.#left());
  }

  /** What the reader has once the answer has arrived; what was sent longest ago is forgotten first. */
  #left(): Known {
    if (this.#sent.size === 0 && this.#anew.size === 0) return this.known;
    const left = new Map(this.known);
    const rooms = [...this.#anew].map((roomId) => keyOf(roomId, ''));
    for (const key of this.known.keys()) if (rooms.some((room) => key.startsWith(room))) left.delete(key);
    for (const [key, version] of this.#sent) {
      left.delete(key);
      left.set(key, version);
    }
    for (const key of left.keys()) {
      if (left.size <= MEMBERS) break;
      left.delete(key);
    }
    return left;
  }
}

function inBoth(a: Known, b: Known): Known {
  if (a === b) return a;
  return new Map([...a].filter(([key, version]) => b.get(key) === version));
}

function versionOf({ header: { eventId, redactedBy } }: TimelineRow): Version {
  return redactedBy === undefined ? eventId : `${eventId} ${redactedBy}`;
}

function keyOf(roomId: RoomId, stateKey: string | undefined): string {
  return `${roomId} ${stateKey}`;
}
