import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';

/** A place at which two devices leave each other one text at a time. */
interface RendezvousSession {
  data: string;
  /** Another one after each change. */
  token: string;
  changedAt: number;
  readonly endsAt: number;
}

/** What is told of one. */
export interface RendezvousState {
  readonly data: string;
  readonly sequence_token: string;
  readonly expires_in_ms: number;
}

/** What the proposal has as the longest, for whoever has to authenticate by more than a password. */
const LIFETIME_MS = 300_000;
const CAPACITY = 1_000;
const MOST_BYTES = 4_096;

/**
 * Where a device that signs in by a QR code and one that is signed in find each other (MSC4388). Nothing of it is in the log: it lasts
 * some minutes at most, and what is said there is encrypted by the devices. In the memory of this process alone, and bounded: with a
 * thousand of them the one that was used longest ago goes.
 */
@Injectable()
export class RendezvousSessions {
  readonly #sessions = new LruCache<string, RendezvousSession>(CAPACITY);

  constructor(@Inject(CLOCK) private readonly stopwatch: Stopwatch) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#sessions.numbers;
  }

  /** Begins one and answers its id, which is all one needs to use it. Throws M_TOO_LARGE. */
  create(data: string): { id: string } & Omit<RendezvousState, 'data'> {
    checkSize(data);
    const id = randomBytes(16).toString('base64url');
    const now = this.stopwatch.elapsed();
    const session = { data, token: newToken(), changedAt: now, endsAt: now + LIFETIME_MS };
    this.#sessions.set(id, session);
    return { id, sequence_token: session.token, expires_in_ms: LIFETIME_MS };
  }

  /** Throws M_NOT_FOUND. */
  get(id: string): RendezvousState {
    const { data, token, endsAt } = this.#get(id);
    return { data, sequence_token: token, expires_in_ms: Math.ceil(endsAt - this.stopwatch.elapsed()) };
  }

  /** How long ago its text was put there, in milliseconds. Throws M_NOT_FOUND. */
  ageOf(id: string): number {
    return Math.floor(this.stopwatch.elapsed() - this.#get(id).changedAt);
  }

  /**
   * Puts another text in the place of the one that the token stands for, and answers the token of that. The same change again, which
   * has the text that is there, changes nothing and is answered as before. Throws M_NOT_FOUND, M_TOO_LARGE,
   * IO_ELEMENT_MSC4388_CONCURRENT_WRITE where there is another text.
   */
  replace(id: string, token: string, data: string): string {
    const session = this.#get(id);
    checkSize(data);
    if (session.token !== token) {
      // "Byte-for-byte identical to the current payload": who was not told that it is there sends it again.
      if (session.data === data) return session.token;
      throw new MatrixError('IO_ELEMENT_MSC4388_CONCURRENT_WRITE');
    }
    session.data = data;
    session.token = newToken();
    session.changedAt = this.stopwatch.elapsed();
    return session.token;
  }

  /** Ends it. Throws M_NOT_FOUND. */
  end(id: string): void {
    this.#get(id);
    this.#sessions.delete(id);
  }

  #get(id: string): RendezvousSession {
    const session = this.#sessions.get(id);
    if (session !== undefined && session.endsAt > this.stopwatch.elapsed()) return session;
    this.#sessions.delete(id);
    throw new MatrixError('M_NOT_FOUND', 'There is no such rendezvous, or no more');
  }
}

/** Those that anybody may begin, apart from those of users: however many there are, they end none of these. */
@Injectable()
export class OpenRendezvousSessions extends RendezvousSessions {}

function newToken(): string {
  return randomBytes(12).toString('base64url');
}

function checkSize(data: string): void {
  if (Buffer.byteLength(data) <= MOST_BYTES) return;
  throw new MatrixError('M_TOO_LARGE', `data may have ${MOST_BYTES} bytes at most`);
}
