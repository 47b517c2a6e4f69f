import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import type { LimitedRequest } from '#http/rate-limits';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { type AuthSession, AuthSessions, type Learnt, type Operation } from './auth-sessions.js';
import { InteractionRequired, type InteractionState, StageFailed } from './interaction-required.js';
import { isComplete, nextStages, note } from './session-progress.js';
import { StageRegistry } from './stage-registry.js';

/** User-interactive authentication (client-server API, "User-Interactive Authentication API"). */
@Injectable()
export class InteractiveAuth {
  constructor(
    private readonly sessions: AuthSessions,
    private readonly stages: StageRegistry,
  ) {}

  /**
   * Settles with the session once the client has completed a flow of the operation; `session.body` is then what to do.
   * Throws InteractionRequired (401) until that is so; M_FORBIDDEN where a session is used for something else than it was
   * opened for; M_BAD_JSON. `asker`: whose request it is, where stages may send mails.
   */
  async authorise(operation: Operation, body: JsonObject, asker?: LimitedRequest): Promise<AuthSession> {
    const { auth, ...request } = body;
    if (auth !== undefined && auth !== null && !isJsonObject(auth)) {
      throw new MatrixError('M_BAD_JSON', 'auth: must be an object');
    }
    const session = await this.#sessionFor(operation, auth ?? {}, request);
    if (isComplete(session)) return session;
    const stage = isJsonObject(auth) ? (auth['type'] ?? this.#findPassedElsewhere(session, auth)) : undefined;
    if (stage === undefined || stage === null || !isJsonObject(auth)) {
      if (await this.#passAllowed(session)) return session;
      throw new InteractionRequired(this.#stateOf(session));
    }
    const answer = await this.#attempt(session, stage, auth, asker);
    const begun = answer && { type: String(stage), answer };
    if (isComplete(session)) return session;
    await this.sessions.save(session);
    throw new InteractionRequired(this.#stateOf(session, begun));
  }

  /**
   * The answer of an operation that the session named in the body has done already; undefined where there is none, or the body
   * asks for something else.
   */
  async findResult<T>(operation: Operation, { auth, ...request }: JsonObject): Promise<T | undefined> {
    const id = isJsonObject(auth) ? auth['session'] : undefined;
    const session = typeof id === 'string' ? await this.sessions.find(id) : undefined;
    if (session === undefined || !isFor(session, operation) || !isSame(session, request)) return undefined;
    return await (session.result as Promise<T> | undefined); // One session has one operation, one kind of answer.
  }

  /**
   * Does the work of an authorised session once: whoever repeats the last request gets the same answer. After a failure it
   * may be tried again. Throws M_LIMIT_EXCEEDED while another process does it.
   */
  async doOnce<T>(session: AuthSession, work: () => Promise<T>): Promise<T> {
    const result = (session.result as Promise<T> | undefined) ?? this.#doFirst(session, work); // One session has one operation, one kind of answer.
    session.result = result;
    try {
      const answer = await result;
      await this.sessions.finish(session);
      return answer;
    } catch (error) {
      session.result = undefined;
      throw error;
    }
  }

  async #doFirst<T>(session: AuthSession, work: () => Promise<T>): Promise<T> {
    if (!(await this.sessions.claim(session)))
      throw new MatrixError('M_LIMIT_EXCEEDED', 'This is being done', { fields: { retry_after_ms: 1_000 } });
    try {
      return await work();
    } catch (error) {
      await this.sessions.unclaim(session);
      throw error;
    }
  }

  /** Does the work of an authorised session, which is spent before: of two that want to do it at once one does. Throws M_FORBIDDEN. */
  async doAndClose<T>(session: AuthSession, work: () => Promise<T>): Promise<T> {
    if (!(await this.sessions.close(session))) throw new MatrixError('M_FORBIDDEN', 'This session was used already');
    return work();
  }

  /** The session that a page works on. Throws M_NOT_FOUND where there is none, or its time is over. */
  async getSession(id: string): Promise<AuthSession> {
    const session = await this.sessions.find(id);
    if (session === undefined) throw new MatrixError('M_NOT_FOUND', 'No such session');
    return session;
  }

  /**
   * Completes a stage on its page: undefined once it is complete, else what it has begun. Throws InteractionRequired with the reason
   * where it failed.
   */
  async completeOnPage(
    session: AuthSession,
    stage: string,
    auth: JsonObject,
    asker: LimitedRequest,
  ): Promise<JsonObject | undefined> {
    if (isComplete(session)) return undefined;
    const begun = await this.#attempt(session, stage, auth, asker);
    await this.sessions.save(session);
    return begun;
  }

  /**
   * Completes a stage that was passed in another place: at another server, by a link in a mail. Throws M_FORBIDDEN where it is not one to be
   * completed now, or it was somebody else who passed those before.
   */
  async completeElsewhere(session: AuthSession, stage: string, learnt: Learnt = {}): Promise<void> {
    if (session.completed.includes(stage)) return;
    if (!nextStages(session).includes(stage))
      throw new MatrixError('M_FORBIDDEN', 'This is no stage to be completed now');
    note(session, stage, learnt);
    await this.sessions.save(session);
  }

  /** The stage that a client means that names its session alone (client-server API, "OAuth authentication"). */
  #findPassedElsewhere(session: AuthSession, auth: JsonObject): string | undefined {
    if (typeof auth['session'] !== 'string') return undefined;
    return nextStages(session).find((type) => this.stages.find(type)?.isPassedElsewhere === true);
  }

  /** Passes what the user has allowed, whichever request of theirs it is for. Answers whether the session is complete by that. */
  async #passAllowed(session: AuthSession): Promise<boolean> {
    const type = nextStages(session).find((one) => this.stages.find(one)?.isOfUser === true);
    if (type === undefined) return false;
    try {
      const passage = await this.stages.get(type).pass({}, session);
      if (passage.isComplete) note(session, type, passage.learnt);
    } catch (error) {
      // Not yet: nothing that was tried has failed.
      if (!(error instanceof StageFailed)) throw error;
    }
    return isComplete(session);
  }

  async #sessionFor(operation: Operation, auth: JsonObject, request: JsonObject): Promise<AuthSession> {
    const id = auth['session'];
    if (id === undefined || id === null) return this.sessions.open(operation, request);
    const known = typeof id === 'string' ? await this.sessions.find(id) : undefined;
    // A session that is over, or that a restart has taken before a stage was complete, is begun again rather than refused. But nothing is tried in it: what
    // the client said when it began the old one, and may have left out since, is gone.
    if (known === undefined) throw new InteractionRequired(this.#stateOf(this.sessions.open(operation, request)));
    if (!isFor(known, operation)) throw new MatrixError('M_FORBIDDEN', 'The session was opened for another request');
    if (isSame(known, request)) return known;
    if (known.completed.length > 0) throw new MatrixError('M_FORBIDDEN', 'The request has changed within its session');
    this.sessions.keepBody(known, request);
    return known;
  }

  /** What the stage has begun; undefined where it is complete. */
  async #attempt(
    session: AuthSession,
    type: unknown,
    auth: JsonObject,
    asker: LimitedRequest | undefined,
  ): Promise<JsonObject | undefined> {
    if (session.completed.some((one) => one === type)) return undefined;
    const next = nextStages(session).find((one) => one === type);
    if (next === undefined) {
      const failure = { errcode: 'M_UNRECOGNIZED', error: 'This is no stage to be completed now' } as const;
      throw new InteractionRequired(this.#stateOf(session), failure);
    }
    try {
      const passage = await this.stages.get(next).pass(auth, session, asker);
      if (!passage.isComplete) return passage.answer;
      note(session, next, passage.learnt);
      return undefined;
    } catch (error) {
      if (!(error instanceof StageFailed)) throw error;
      throw new InteractionRequired(this.#stateOf(session), { errcode: error.errcode, error: error.message });
    }
  }

  /** What the client is told; of a stage that has begun also that. */
  #stateOf(session: AuthSession, begun?: { readonly type: string; readonly answer: JsonObject }): InteractionState {
    const { id, operation, completed } = session;
    const params: Record<string, JsonObject> = {};
    for (const type of new Set(operation.flows.flat())) {
      const own = this.stages.get(type).params?.(session);
      if (own !== undefined) params[type] = own;
    }
    if (begun !== undefined) params[begun.type] = { ...params[begun.type], ...begun.answer };
    return { session: id, flows: operation.flows.map((stages) => ({ stages })), params, completed: [...completed] };
  }
}

function isFor(session: AuthSession, { name, userId }: Operation): boolean {
  return session.operation.name === name && session.operation.userId === userId;
}

/** Clients may send the parameters once, and then `auth` alone. */
function isSame({ body }: AuthSession, request: JsonObject): boolean {
  return Object.keys(request).length === 0 || isDeepStrictEqual(request, body);
}
