import { createHmac } from 'node:crypto';
import type { EventStore } from '#event-store/event-store';
import type { RateLimits } from '#http/rate-limits';
import type { Clock } from '#kernel/clock';
import { isSameSecret } from '#kernel/is-same-secret';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { KeptNotes, type NotesPlace } from '../interactive-auth/kept-notes.js';
import { nextLinkOf } from './next-link.js';
import type { Threepid } from './threepid.js';

/** So often another request goes on with the same session at once before it is given up. */
const MOST_TURNS = 5;
const BUSY_MS = 60_000;

/** By what a client names a session. */
export interface SessionName {
  readonly sid: string;
  readonly clientSecret: string;
}

/** What is kept of a session. */
export interface ValidationSession extends Threepid {
  /** What is sent to the address. */
  readonly token: string;
  readonly attempt: number;
  /** How many wrong tokens were shown. */
  readonly tries: number;
  readonly until: number;
  readonly validated_at?: number;
  readonly next_link?: string;
  /** What it is shown for, where that matters. */
  readonly purpose?: string;
  /** Who began it, where that is known. */
  readonly user_id?: UserId;
  /** What stands for who began it, and for where they are from. */
  readonly owner: string;
  readonly group?: string;
}

/** A session as its client asks for it. */
export interface AskedSession {
  readonly name: SessionName;
  readonly threepid: Threepid;
  readonly sendAttempt: number;
  readonly nextLink?: string;
  readonly purpose?: string;
  readonly userId?: UserId;
  readonly owner: string;
  readonly group?: string;
}

/** What somebody is asked who opens a link. */
export interface AskedThreepid {
  readonly threepid: Threepid;
  readonly userId?: UserId;
}

/** An identifier that was shown to be somebody's. */
export interface ValidatedThreepid extends Threepid {
  readonly validated_at: number;
}

/** How long sessions go on, and how they end. */
export interface SessionsBound {
  /** Since a session was begun or passed. */
  readonly lifetimeMs: number;
  /** For so long since then it is known that it is over. */
  readonly knownMs: number;
  /** So many wrong tokens may be shown. */
  readonly mostTries: number;
}

/**
 * Sessions in which people show that an address is theirs: identity service API, "Establishing associations". Each is a note that only who began it can
 * read, sealed with its id and the client's secret: so no address stands in the log before it was shown to be somebody's.
 */
export abstract class ValidationSessions extends KeptNotes {
  constructor(
    store: EventStore,
    private readonly time: Clock,
    protected readonly limits: RateLimits,
    place: NotesPlace,
    private readonly bound: SessionsBound,
    /** Makes ids of sessions, and what stands for people in notes: nobody else makes them up. */
    private readonly key: Buffer,
  ) {
    super(store, time, place);
  }

  /**
   * Takes it for shown that whoever has the token reads what is sent to the address. A token is counted before it is looked at: of many that are tried at once
   * no more are right than one after another. Answers where they may go on. Throws M_NO_VALID_SESSION, M_SESSION_EXPIRED, M_TOKEN_INCORRECT, M_LIMIT_EXCEEDED.
   */
  async submit(name: SessionName, token: string): Promise<{ readonly nextLink?: string }> {
    this.limits.check('password', `validation ${name.sid}`);
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      const { session, revision } = await this.#get(name);
      if (session.tries >= this.bound.mostTries) throw new MatrixError('M_TOKEN_INCORRECT');
      const isRight = isSameSecret(token.replace(/\s/g, ''), session.token);
      const next = session.next_link === undefined ? {} : { nextLink: session.next_link };
      // Who presses the button twice is told the same, and nothing goes on for longer by it.
      if (isRight && session.validated_at !== undefined) return next;
      const now = this.time.now();
      const after = isRight
        ? { ...session, validated_at: now, until: now + this.bound.lifetimeMs }
        : { ...session, tries: session.tries + 1 };
      if (!(await this.#keep(name, after, revision))) continue;
      if (!isRight) throw new MatrixError('M_TOKEN_INCORRECT');
      return next;
    }
    throw tooMany('Too many tokens are tried at once');
  }

  /**
   * What a session whose token somebody has is for, for the page that asks them; undefined where it is not right. A code of a phone is short, so who shows a wrong
   * one here is counted as in `submit`. Throws M_LIMIT_EXCEEDED.
   */
  async peek(name: SessionName, token: string): Promise<AskedThreepid | undefined> {
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      const found = await this.#find(name);
      if (found === undefined || found === 'used') return undefined;
      const { session, revision } = found;
      if (session.until <= this.time.now() || session.tries >= this.bound.mostTries) return undefined;
      const { medium, address, user_id: userId } = session;
      const isRight = isSameSecret(token, session.token);
      const asked = isRight ? { threepid: { medium, address }, ...optional('userId', userId) } : undefined;
      if (medium === 'email') return asked;
      const after = isRight ? session : { ...session, tries: session.tries + 1 };
      if (await this.#keep(name, after, revision)) return asked;
    }
    throw tooMany('Too many tokens are tried at once');
  }

  /**
   * What was shown in a session; `by`: whose it is to be, null where nobody knows yet who that is. Throws M_NO_VALID_SESSION, M_SESSION_EXPIRED, M_SESSION_NOT_VALIDATED, and
   * M_FORBIDDEN where whoever confirmed it was told that it would be another user's.
   */
  async getValidated(name: SessionName, purpose?: string, by?: UserId | null): Promise<ValidatedThreepid> {
    const { medium, address, validated_at, purpose: wanted, user_id: told } = (await this.#get(name)).session;
    if (wanted !== purpose) throw new MatrixError('M_NO_VALID_SESSION');
    if (validated_at === undefined) throw new MatrixError('M_SESSION_NOT_VALIDATED');
    if (by !== undefined && told !== undefined && by !== told) {
      throw new MatrixError('M_FORBIDDEN', 'It was shown to be of another user');
    }
    return { medium, address, validated_at };
  }

  /** As `getValidated`, and uses it up: of two that try at once one is answered. Throws M_NO_VALID_SESSION where it was used. */
  protected async take(name: SessionName, purpose: string): Promise<ValidatedThreepid> {
    const shown = await this.getValidated(name, purpose);
    if (await this.use(secretOf(name))) return shown;
    throw new MatrixError('M_NO_VALID_SESSION');
  }

  /**
   * Begins a session, or goes on with one. Answers it where something is to be sent to its address, once `checkRoom` says that it may be; undefined where that
   * was sent before. Throws M_LIMIT_EXCEEDED.
   */
  protected async open(
    asked: AskedSession,
    makeToken: () => string,
    checkRoom: () => void,
  ): Promise<ValidationSession | undefined> {
    const { name, threepid, sendAttempt, nextLink, purpose, userId, owner, group } = asked;
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      const found = await this.#find(name);
      if (found === 'used') throw new MatrixError('M_INVALID_PARAM', 'client_secret: was used before, choose another');
      const now = this.time.now();
      const before = found === undefined || found.session.until <= now ? undefined : found.session;
      if (before !== undefined && before.attempt >= sendAttempt) return undefined;
      if (turn === 0) checkRoom();
      const session: ValidationSession = {
        medium: threepid.medium,
        address: threepid.address,
        token: before?.token ?? makeToken(),
        attempt: sendAttempt,
        tries: before?.tries ?? 0,
        until: before?.until ?? now + this.bound.lifetimeMs,
        owner: before?.owner ?? owner,
        ...optional('group', before?.group ?? group),
        ...optional('validated_at', before?.validated_at),
        ...optional('next_link', nextLink === undefined ? undefined : nextLinkOf(nextLink, name.sid)),
        ...optional('purpose', purpose),
        ...optional('user_id', userId),
      };
      if (await this.#keep(name, session, found?.revision ?? null)) return session;
      const other = await this.#find(name);
      // Nobody else went on with it: there is no room.
      if (other !== 'used' && other?.revision === found?.revision) break;
    }
    throw tooMany('Too many validations are under way');
  }

  /** The same for the same texts, and nobody else makes it up. */
  protected hmacOf(texts: readonly string[]): string {
    return createHmac('sha256', this.key).update(JSON.stringify(texts)).digest('base64url');
  }

  async #get(name: SessionName): Promise<FoundSession> {
    const found = await this.#find(name);
    if (found === undefined || found === 'used') throw new MatrixError('M_NO_VALID_SESSION');
    if (found.session.until <= this.time.now()) throw new MatrixError('M_SESSION_EXPIRED');
    return found;
  }

  async #find(name: SessionName): Promise<FoundSession | 'used' | undefined> {
    const note = await this.find(secretOf(name));
    if (note === undefined || note === 'used') return note;
    // As `#keep` wrote it.
    return { session: note.content as unknown as ValidationSession, revision: note.revision };
  }

  /** Answers whether it is kept: not where there is no room, or another request went on with the session meanwhile. */
  #keep(name: SessionName, session: ValidationSession, instead: number | null): Promise<boolean> {
    const content = { ...session } as unknown as JsonObject; // texts and numbers
    const { until, owner, group } = session;
    const { lifetimeMs, knownMs } = this.bound;
    return this.keep(secretOf(name), content, until - lifetimeMs + knownMs, {
      owner,
      ...optional('group', group),
      instead,
    });
  }
}

interface FoundSession {
  readonly session: ValidationSession;
  readonly revision: number;
}

/** The sid alone has bits enough. */
const secretOf = ({ sid, clientSecret }: SessionName): string => JSON.stringify([sid, clientSecret]);

function tooMany(what: string): MatrixError {
  return new MatrixError('M_LIMIT_EXCEEDED', what, { fields: { retry_after_ms: BUSY_MS } });
}

function optional<K extends string, T>(key: K, value: T | undefined): { readonly [k in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [k in K]?: T };
}
