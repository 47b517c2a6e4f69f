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
  /** Of each device what is known by the tokens of its last answers, the one used longest ago first. */
  readonly #devices = new LruCache<string, LruCache<string, Known>>(DEVICES, {
    most: ALL_MEMBERS,
    weigh: membersIn,
  });

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
    const known = since === undefined ? undefined : this.#devices.get(device)?.get(since);
    return new AnsweredMembers(known ?? NOTHING, (until, left) => this.#keep(device, until, left));
  }

  #keep(device: string, until: string, left: Known): void {
    const tokens = this.#devices.get(device) ?? new LruCache<string, Known>(TOKENS_PER_DEVICE);
    const other = tokens.get(until);
    tokens.set(until, other === undefined ? left : inBoth(other, left));
    this.#devices.set(device, tokens);
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

function membersIn(tokens: LruCache<string, Known>): number {
  // Several tokens know the same where nothing was sent between them.
  return [...new Set(tokens.values())].reduce((sum, { size }) => sum + size, 0);
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
