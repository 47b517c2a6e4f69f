import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { type AuthSession, AuthSessions, type Operation, type Stage } from './auth-sessions.js';
import { InteractionRequired, StageFailed } from './interaction-required.js';
import { Stages } from './stages.js';

/** User-interactive authentication (client-server API, "User-Interactive Authentication API"). */
@Injectable()
export class InteractiveAuth {
  constructor(
    private readonly sessions: AuthSessions,
    private readonly stages: Stages,
  ) {}

  /**
   * Settles with the session once the client has completed a flow of the operation; `session.body` is then what to do.
   * Throws InteractionRequired (401) until that is so; M_FORBIDDEN where a session is used for something else than it was
   * opened for; M_BAD_JSON.
   */
  async authorise(operation: Operation, body: JsonObject): Promise<AuthSession> {
    const { auth, ...request } = body;
    if (auth !== undefined && auth !== null && !isJsonObject(auth)) {
      throw new MatrixError('M_BAD_JSON', 'auth: must be an object');
    }
    const session = this.#sessionFor(operation, auth ?? {}, request);
    if (isComplete(session)) return session;
    const stage = isJsonObject(auth) ? auth['type'] : undefined;
    if (stage === undefined || stage === null || !isJsonObject(auth)) throw new InteractionRequired(stateOf(session));
    await this.#attempt(session, stage, auth);
    if (!isComplete(session)) throw new InteractionRequired(stateOf(session));
    return session;
  }

  /**
   * The answer of an operation that the session named in the body has done already; undefined where there is none, or the body
   * asks for something else.
   */
  findResult<T>(operation: Operation, { auth, ...request }: JsonObject): Promise<T> | undefined {
    const id = isJsonObject(auth) ? auth['session'] : undefined;
    const session = typeof id === 'string' ? this.sessions.find(id) : undefined;
    if (session === undefined || !isFor(session, operation) || !isSame(session, request)) return undefined;
    return session.result as Promise<T> | undefined; // One session has one operation, one kind of answer.
  }

  /**
   * Does the work of an authorised session once: whoever repeats the last request gets the same answer. After a failure it
   * may be tried again.
   */
  async doOnce<T>(session: AuthSession, work: () => Promise<T>): Promise<T> {
    const result = (session.result as Promise<T> | undefined) ?? work(); // One session has one operation, one kind of answer.
    session.result = result;
    try {
      return await result;
    } catch (error) {
      session.result = undefined;
      throw error;
    }
  }

  /** Does the work of an authorised session, which is then spent. */
  async doAndClose<T>(session: AuthSession, work: () => Promise<T>): Promise<T> {
    this.sessions.close(session);
    return work();
  }

  /** The session that a fallback page works on. Throws M_NOT_FOUND. */
  getSession(id: string): AuthSession {
    const session = this.sessions.find(id);
    if (session === undefined) throw new MatrixError('M_NOT_FOUND', 'No such session');
    return session;
  }

  /** Completes a stage on a fallback page. Throws InteractionRequired with the reason where it failed. */
  async completeOnPage(session: AuthSession, stage: string, auth: JsonObject): Promise<void> {
    if (!isComplete(session)) await this.#attempt(session, stage, auth);
  }

  #sessionFor(operation: Operation, auth: JsonObject, request: JsonObject): AuthSession {
    const id = auth['session'];
    if (id === undefined || id === null) return this.sessions.open(operation, request);
    const known = typeof id === 'string' ? this.sessions.find(id) : undefined;
    // A session that is over, or that a restart has taken, is begun again rather than refused. But nothing is tried in it: what
    // the client said when it began the old one, and may have left out since, is gone.
    if (known === undefined) throw new InteractionRequired(stateOf(this.sessions.open(operation, request)));
    if (!isFor(known, operation)) throw new MatrixError('M_FORBIDDEN', 'The session was opened for another request');
    if (isSame(known, request)) return known;
    if (known.completed.length > 0) throw new MatrixError('M_FORBIDDEN', 'The request has changed within its session');
    this.sessions.keepBody(known, request);
    return known;
  }

  async #attempt(session: AuthSession, stage: unknown, auth: JsonObject): Promise<void> {
    if (session.completed.includes(stage as Stage)) return;
    const next = nextStages(session).find((one) => one === stage);
    if (next === undefined) {
      const failure = { errcode: 'M_UNRECOGNIZED', error: 'This is no stage to be completed now' } as const;
      throw new InteractionRequired(stateOf(session), failure);
    }
    try {
      await this.stages.pass(next, auth, session);
    } catch (error) {
      if (!(error instanceof StageFailed)) throw error;
      throw new InteractionRequired(stateOf(session), { errcode: error.errcode, error: error.message });
    }
    if (!session.completed.includes(next)) session.completed.push(next);
  }
}

function isFor(session: AuthSession, { name, userId }: Operation): boolean {
  return session.operation.name === name && session.operation.userId === userId;
}

/** Clients may send the parameters once, and then `auth` alone. */
function isSame({ body }: AuthSession, request: JsonObject): boolean {
  return Object.keys(request).length === 0 || isDeepStrictEqual(request, body);
}

function isComplete({ operation, completed }: AuthSession): boolean {
  return operation.flows.some((flow) => flow.length > 0 && flow.every((stage, i) => completed[i] === stage));
}

/** The stages that may come now: those that go on a flow whose beginning is what was completed. */
function nextStages({ operation, completed }: AuthSession): Stage[] {
  return operation.flows
    .filter((flow) => completed.every((stage, i) => flow[i] === stage))
    .map((flow) => flow[completed.length])
    .filter((stage) => stage !== undefined);
}

function stateOf({ id, operation, completed }: AuthSession): ConstructorParameters<typeof InteractionRequired>[0] {
  return {
    session: id,
    flows: operation.flows.map((stages) => ({ stages })),
    params: {},
    completed: [...completed],
  };
}
