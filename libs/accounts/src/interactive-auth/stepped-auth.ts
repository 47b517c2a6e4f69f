import { Injectable } from '@nestjs/common';
import type { LimitedRequest } from '#http/rate-limits';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { type AuthSession, AuthSessions, type Operation } from './auth-sessions.js';
import { StageFailed } from './interaction-required.js';
import { type Passage, type Stage } from './stage.js';
import { isLast, nextStages, note } from './session-progress.js';
import { StageRegistry } from './stage-registry.js';

/** After a request: all stages are passed, and the work is to be done; or this is the answer, and more is to come. */
export type Step =
  | { readonly isDone: true; readonly session: AuthSession }
  | { readonly isDone: false; readonly answer: JsonObject };

/**
 * Stages in the manner of 2014 and 2015 (section "Registration and Login"): each is one request or several to the same path, and the answer to
 * one says what comes `next`, and by which `session` it is gone on with. The request that completes the last stage does the work,
 * for which the session is spent: what can be known to be wrong with that before is looked at before.
 */
@Injectable()
export class SteppedAuth {
  constructor(
    private readonly sessions: AuthSessions,
    private readonly stages: StageRegistry,
  ) {}

  /**
   * Takes a request. Throws what its stage refuses it with; M_MISSING_PARAM without a `type`, M_UNKNOWN (400) for one that stands in no
   * flow, and M_FORBIDDEN for one that is not to be completed now, or where the session is over or another operation's.
   */
  async step(operation: Operation, body: JsonObject, asker: LimitedRequest): Promise<Step> {
    const { type } = body;
    if (type === undefined) throw new MatrixError('M_MISSING_PARAM', 'type: required');
    if (typeof type !== 'string' || !operation.flows.flat().includes(type)) {
      throw new MatrixError('M_UNKNOWN', 'Bad login type', { status: 400 });
    }
    const session = await this.#sessionFor(operation, body['session']);
    const next = nextStages(session);
    if (!next.includes(type)) throw new MatrixError('M_FORBIDDEN', `This begins with the stage ${next.join(' or ')}`);
    const passage = await this.#pass(this.stages.get(type), body, session, asker);
    if (passage.isComplete) return this.advance(session, type, passage.learnt);
    await this.sessions.save(session);
    return { isDone: false, answer: { type, session: session.id, ...passage.answer } };
  }

  /** Goes on behind a stage that was passed, here or in another place. Throws as `note`. */
  async advance(session: AuthSession, type: string, learnt: AuthSession['learnt'] = {}): Promise<Step> {
    const isDone = isLast(session, type);
    note(session, type, learnt, { isKept: !isDone });
    if (isDone) return { isDone, session };
    await this.sessions.save(session);
    const [next] = nextStages(session);
    return { isDone, answer: { next: next ?? null, session: session.id } };
  }

  /** Ends a session whose work is to be done now: of two that want to do it at once one does. Throws M_FORBIDDEN. */
  async spend(session: AuthSession): Promise<void> {
    if (!(await this.sessions.close(session))) throw new MatrixError('M_FORBIDDEN', 'This session was used already');
  }

  async #sessionFor(operation: Operation, id: unknown): Promise<AuthSession> {
    if (id === undefined || id === null) return this.sessions.begin(operation, {});
    const session = typeof id === 'string' ? await this.sessions.find(id) : undefined;
    if (session?.operation.name === operation.name) return session;
    throw new MatrixError('M_FORBIDDEN', 'There is no such session: begin again');
  }

  async #pass(stage: Stage, body: JsonObject, session: AuthSession, asker: LimitedRequest): Promise<Passage> {
    try {
      return await stage.pass(body, session, asker);
    } catch (error) {
      if (error instanceof StageFailed) throw new MatrixError(error.errcode, error.message);
      throw error;
    }
  }
}
