import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock, type Stopwatch } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { AcceptedTerms } from '../terms/terms.js';
import type { Threepid } from '../threepids/threepid.js';
import { AuthNotes } from './auth-notes.js';
import type { UpstreamSession } from '../facts/login-facts.js';

/** What stages are gone through for: to log in, to get an account, to confirm what one does to one's own, or to get into it again. */
export type Purpose = 'login' | 'registration' | 'confirmation' | 'recovery';

/** What somebody wants to do that needs more than an access token. A session is good for this and nothing else. */
export interface Operation {
  /** Method and path with all ids in it. */
  readonly name: string;
  readonly purpose: Purpose;
  /** Whose account it is about: who asks. Absent where nobody is logged in. */
  readonly userId?: UserId;
  /** Each a list of types of stages, to be completed in order. */
  readonly flows: readonly (readonly string[])[];
  /** It is gone through in the browser that the name says, and nowhere else. */
  readonly isOfBrowser?: true;
}

/** What stages have found out, for the work that follows and for the stages after them. */
export interface Learnt {
  /** Whose account it is: who logs in is nobody until a stage says it, and then nobody else. */
  readonly userId?: UserId;
  /** The hash that their password was checked against: by the time they are let in it may be another. */
  readonly passwordHash?: string;
  /** At which provider of accounts they have shown who they are. */
  readonly upstream?: UpstreamSession;
  /** The hash of the login token that was shown, for the log-in to use up. */
  readonly loginTokenHash?: string;
  /** The documents that were accepted, for the account. */
  readonly acceptedTerms?: AcceptedTerms;
  /** The address that was shown to be theirs, for the account. */
  readonly threepid?: Threepid & { readonly validatedAt: number };
  /** The phone number that was, likewise. */
  readonly phone?: Threepid & { readonly validatedAt: number };
  /** The registration token that was shown, for the registration to use up. */
  readonly registrationToken?: string;
}

/**
 * A session of interactive authentication. In memory alone until a stage is completed, so that anybody's openings cost the log nothing; then
 * it is noted there, sealed with its own id (bodies hold passwords), and survives a restart.
 */
export interface AuthSession {
  readonly id: string;
  readonly operation: Operation;
  /** By the stopwatch, in milliseconds. */
  readonly expiresAt: number;
  /** The request's body without `auth`, as it was when the first stage was completed. Changed by `keepBody` alone. */
  body: JsonObject;
  readonly completed: string[];
  learnt: Learnt;
  /** What a stage has begun, by its type, and remembers until it is passed. */
  begun: Readonly<Record<string, JsonValue>>;
  /** Whether the log has it. */
  isNoted: boolean;
  /** Whether it was ended in this process. */
  isOver?: true;
  /** The answer of the operation, for clients that repeat the last request. */
  result?: Promise<unknown>;
}

const LIFETIME_MS = 30 * 60 * 1000;
/** What a session is for is done by then. */
const WORK_MS = 60_000;
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

  constructor(
    @Inject(CLOCK) private readonly clock: Clock & Stopwatch,
    private readonly notes: AuthNotes,
  ) {}

  /** A new session for an operation and its body, which is not kept yet. */
  begin(operation: Operation, body: JsonObject): AuthSession {
    return {
      id: randomBytes(18).toString('base64url'),
      operation,
      body,
      expiresAt: this.clock.elapsed() + LIFETIME_MS,
      completed: [],
      learnt: {},
      begun: {},
      isNoted: false,
    };
  }

  /** As `begin`, and kept. */
  open(operation: Operation, body: JsonObject): AuthSession {
    const session = this.begin(operation, body);
    this.keep(session);
    return session;
  }

  /** Remembers it in this process. */
  keep(session: AuthSession): void {
    this.#sessions.set(session.id, session);
  }

  /** As `keep`, and once a stage is completed in the log: what was learnt, and what to do. Where there is no room it lives in this process alone. */
  async save(session: AuthSession): Promise<void> {
    this.keep(session);
    if (session.completed.length === 0) return;
    const left = session.expiresAt - this.clock.elapsed();
    const { operation, body, completed, learnt, begun } = session;
    // All of it is JSON.
    const content = { operation, body, completed, learnt, begun } as unknown as JsonObject;
    const until = Math.ceil(this.clock.now() + left);
    if (await this.notes.keep(session.id, content, until, { isCheap: true })) session.isNoted = true;
  }

  /** The session, undefined where there is none, its time is over, or it was used up in another process. */
  async find(id: string): Promise<AuthSession | undefined> {
    const known = this.#sessions.get(id);
    if (known !== undefined && known.expiresAt <= this.clock.elapsed()) {
      await this.close(known);
      return undefined;
    }
    if (known !== undefined && (!known.isNoted || known.result !== undefined)) return known;
    const note = await this.notes.find(id);
    if (note === 'used') {
      this.#sessions.delete(id);
      return undefined;
    }
    // Not before its time by the stopwatch, whatever the clock says.
    return note === undefined ? known : this.#recall(id, note, known);
  }

  /** As the log has it: another process may have gone on with it. */
  #recall(id: string, { content, until }: SessionNote, known: AuthSession | undefined): AuthSession {
    // As `save` wrote it.
    const noted = content as unknown as Pick<AuthSession, 'operation' | 'body' | 'completed' | 'learnt' | 'begun'>;
    const left = Math.min(LIFETIME_MS, until - this.clock.now());
    const expiresAt = known?.expiresAt ?? this.clock.elapsed() + left;
    const session = known ?? { id, ...noted, expiresAt, isNoted: true };
    if (known !== undefined && noted.completed.length > known.completed.length) {
      known.completed.splice(0, Infinity, ...noted.completed);
      Object.assign(known, { body: noted.body, learnt: noted.learnt, begun: noted.begun });
    }
    this.keep(session);
    return session;
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

  /** Ends a session: it cannot be used again. Answers whether it had not been ended before, in whatever process. */
  async close(session: AuthSession): Promise<boolean> {
    this.#sessions.delete(session.id);
    if (session.isOver === true) return false;
    session.isOver = true;
    return !session.isNoted || this.notes.use(session.id);
  }

  /** Takes it upon this process to do what a session is for, for a minute. Answers whether no other does. */
  async claim({ id, isNoted }: AuthSession): Promise<boolean> {
    return !isNoted || this.notes.claim(workOf(id), this.clock.now() + WORK_MS);
  }

  /** It came to nothing: it may be done again, in whatever process. */
  async unclaim({ id, isNoted }: AuthSession): Promise<void> {
    if (isNoted) await this.notes.keep(workOf(id), {}, this.clock.now());
  }

  /** As `close`, where its answer is given again to who repeats the request. */
  async finish(session: AuthSession): Promise<void> {
    if (session.isNoted) await this.notes.use(session.id);
  }
}

/** What stands for the work of a session. */
const workOf = (id: string): string => `work ${id}`;

interface SessionNote {
  readonly content: JsonObject;
  readonly until: number;
}
