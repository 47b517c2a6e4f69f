import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';

/** What stages are gone through for: to log in, to get an account, or to confirm what one does to one's own. */
export type Purpose = 'login' | 'registration' | 'confirmation';

/** What somebody wants to do that needs more than an access token. A session is good for this and nothing else. */
export interface Operation {
  /** Method and path with all ids in it. */
  readonly name: string;
  readonly purpose: Purpose;
  /** Whose account it is about: who asks. Absent where nobody is logged in. */
  readonly userId?: UserId;
  /** Each a list of types of stages, to be completed in order. */
  readonly flows: readonly (readonly string[])[];
}

/** What stages have found out, for the work that follows and for the stages after them. */
export interface Learnt {
  /** Whose account it is: who logs in is nobody until a stage says it, and then nobody else. */
  readonly userId?: UserId;
  /** The hash that their password was checked against: by the time they are let in it may be another. */
  readonly passwordHash?: string;
  /** The registration token that was shown, for the registration to use up. */
  readonly registrationToken?: string;
}

/** A session of interactive authentication. In memory only: after a restart the client begins again. */
export interface AuthSession {
  readonly id: string;
  readonly operation: Operation;
  /** By the stopwatch, in milliseconds. */
  readonly expiresAt: number;
  /** The request's body without `auth`, as it was when the first stage was completed. Changed by `keepBody` alone. */
  body: JsonObject;
  readonly completed: string[];
  learnt: Learnt;
  /** The answer of the operation, for clients that repeat the last request. */
  result?: Promise<unknown>;
}

const LIFETIME_MS = 30 * 60 * 1000;
const CAPACITY = 10_000;
/** Anybody may begin them, with bodies of a megabyte each. */
const MOST_CHARACTERS = 16 * 1024 * 1024;

/** The sessions under way: at most 10,000, and 16 MB of bodies; the oldest gives way; each for half an hour. */
@Injectable()
export class AuthSessions {
  readonly #sessions = new LruCache<string, AuthSession>(CAPACITY, {
    most: MOST_CHARACTERS,
    weigh: ({ body }) => JSON.stringify(body).length,
  });

  constructor(@Inject(CLOCK) private readonly stopwatch: Stopwatch) {}

  /** A new session for an operation and its body, which is not kept yet. */
  begin(operation: Operation, body: JsonObject): AuthSession {
    return {
      id: randomBytes(18).toString('base64url'),
      operation,
      body,
      expiresAt: this.stopwatch.elapsed() + LIFETIME_MS,
      completed: [],
      learnt: {},
    };
  }

  /** As `begin`, and kept. */
  open(operation: Operation, body: JsonObject): AuthSession {
    const session = this.begin(operation, body);
    this.keep(session);
    return session;
  }

  keep(session: AuthSession): void {
    this.#sessions.set(session.id, session);
  }

  /** The session, undefined where there is none or its time is over. */
  find(id: string): AuthSession | undefined {
    const session = this.#sessions.get(id);
    if (session === undefined || session.expiresAt > this.stopwatch.elapsed()) return session;
    this.#sessions.delete(id);
    return undefined;
  }

  /** Takes another body for a session that is still open. */
  keepBody(session: AuthSession, body: JsonObject): void {
    session.body = body;
    this.keep(session);
  }

  /** For metrics: of the sessions, those over but not yet asked for among them. */
  get numbers(): CacheNumbers {
    return this.#sessions.numbers;
  }

  /** Ends a session: it cannot be used again. */
  close(session: AuthSession): void {
    this.#sessions.delete(session.id);
  }
}
