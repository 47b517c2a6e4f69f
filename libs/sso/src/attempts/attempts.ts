import { isSameSecret } from '#kernel/is-same-secret';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AuthNotes } from '#accounts/interactive-auth/auth-notes';
import { CONFIG, type Config } from '#config/config';
import { BrowserCookie, MOST_OF_COOKIE } from '#http/browser/browser-cookie';
import { CLOCK, type Clock } from '#kernel/clock';
import { MatrixError } from '#kernel/matrix-error';
import type { Attempt, Questioned, Shown } from './attempt.js';
import { Sealer } from './sealer.js';

/** So long somebody may be away at a provider, and think about a name. */
const LIFETIME_MS = 15 * 60 * 1000;
const ID = /^[A-Za-z0-9_-]{12}$/;
/** So many are begun in a browser at once: each goes with all requests to this server, and the oldest gives way. */
const MOST_AT_ONCE = 3;

/**
 * The log-ins under way. Each is in a cookie of the browser in which it was begun, sealed: nobody else can go on with it, nor have another
 * browser go on with theirs; it survives a restart. Once somebody has shown who they are the log has the hashes of those that were used: each is good for one step.
 */
@Injectable()
export class Attempts {
  constructor(
    private readonly sealer: Sealer,
    private readonly notes: AuthNotes,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl'>,
  ) {}

  /** Has the browser keep an attempt, in the place of what it kept under this id. Throws M_TOO_LARGE. */
  keep(reply: FastifyReply, id: string, attempt: Attempt): void {
    const sealed = this.sealer.seal(nameOf(id), attempt, LIFETIME_MS);
    if (sealed.length > MOST_OF_COOKIE)
      throw new MatrixError('M_TOO_LARGE', 'There is too much to be remembered of this log-in');
    if (attempt.step === 'begun') this.#makeRoom(reply);
    this.#cookieOf(id).put(reply, sealed, LIFETIME_MS / 1000);
  }

  /** What the browser keeps under an id; undefined where that is nothing, or its time is over. */
  find(request: FastifyRequest, id: string): Attempt | undefined {
    const sealed = ID.test(id) ? this.#cookieOf(id).find(request) : undefined;
    // Only `keep` seals for this use.
    return sealed === undefined ? undefined : (this.sealer.open(nameOf(id), sealed) as Attempt | undefined);
  }

  /** As `find`, where it is at this step. Throws M_FORBIDDEN where there is nothing such. */
  get<S extends Attempt['step']>(request: FastifyRequest, id: string, step: S): Extract<Attempt, { step: S }> {
    const attempt = this.find(request, id);
    if (attempt?.step !== step) throw notHere();
    return attempt as Extract<Attempt, { step: S }>;
  }

  /** As `get`, of an attempt whose page told its key. */
  getByKey<S extends 'asking' | 'shown'>(
    request: FastifyRequest,
    { id, key }: { readonly id: string; readonly key: string },
    step: S,
  ): Extract<Attempt, { step: S }> {
    const attempt = this.get(request, id, step);
    const { key: known } = attempt as Questioned | Shown; // both steps that are asked for have one
    if (!isSameSecret(known, key)) throw notHere();
    return attempt;
  }

  /** Uses up what an attempt says at one step, by a secret of it: browsers keep what they were told to forget, and what they hold may be copied. Throws M_FORBIDDEN where it was used. */
  async spend(secret: string): Promise<void> {
    if (!(await this.notes.useOnce(`attempt ${secret}`, this.clock.now() + LIFETIME_MS))) throw notHere();
  }

  /** Throws M_FORBIDDEN where `spend` would. */
  async checkNotSpent(secret: string): Promise<void> {
    if ((await this.notes.find(`attempt ${secret}`)) !== undefined) throw notHere();
  }

  /** The browser forgets an attempt. */
  end(reply: FastifyReply, id: string): void {
    this.#cookieOf(id).drop(reply);
  }

  /** Lax, as it is: providers send people back by a link of theirs. */
  #cookieOf(id: string): BrowserCookie {
    return new BrowserCookie(nameOf(id), this.config.publicUrl);
  }

  /** Browsers name what they have kept the longest first (RFC 6265, section 5.4). */
  #makeRoom(reply: FastifyReply): void {
    const known = [...(reply.request.headers.cookie ?? '').matchAll(KEPT)].map(([, id = '']) => id);
    for (const id of known.slice(0, Math.max(0, known.length - MOST_AT_ONCE + 1))) this.end(reply, id);
  }
}

const nameOf = (id: string): string => `annals_sso_${id}`;
const KEPT = /(?:^|; *)(?:__Host-)?annals_sso_([A-Za-z0-9_-]{12})=/g;

export const notHere = (): MatrixError =>
  new MatrixError(
    'M_FORBIDDEN',
    'This log-in was not begun in this browser, or took too long: please begin anew in your application',
  );
