import { Injectable } from '@nestjs/common';
import { MatrixError } from '#kernel/matrix-error';
import { type AuthSession, AuthSessions, type Purpose } from './auth-sessions.js';
import type { Stage } from './stage.js';
import { StageRegistry } from './stage-registry.js';

/** What stages are gone through for that say whose account it is. */
const SHOWS_WHO: ReadonlySet<Purpose> = new Set<Purpose>(['login', 'recovery']);

/** A stage of a session, to be passed on its page. */
export interface LinkedStage {
  readonly session: AuthSession;
  readonly stage: Stage;
}

/**
 * Stages by whose pages anybody may pass them who opens a link (client-server API, "Fallback"). What shows who somebody is where nobody is logged in, or is gone through in one
 * browser, has no such page: it would be passed by one person, and gone on with by the one who sent the link, who would be logged in, or choose the password.
 */
@Injectable()
export class LinkedStages {
  constructor(
    private readonly sessions: AuthSessions,
    private readonly stages: StageRegistry,
  ) {}

  /**
   * Undefined where the session is over, or is none for such pages. Throws M_UNRECOGNIZED for a stage that has no page, for what is not configured has nothing to show, and for
   * one that nobody is asked for in the session, for that leads nowhere.
   */
  async find(type: string, sessionId: string): Promise<LinkedStage | undefined> {
    const stage = this.stages.find(type);
    if (stage === undefined) throw new MatrixError('M_UNRECOGNIZED', 'There is no page for this stage');
    const session = await this.sessions.find(sessionId);
    if (session === undefined) return undefined;
    const { purpose, isOfBrowser, flows } = session.operation;
    if (SHOWS_WHO.has(purpose) || isOfBrowser === true) return undefined;
    if (!flows.some((flow) => flow.includes(type)))
      throw new MatrixError('M_UNRECOGNIZED', 'This is no stage of this session');
    return { session, stage };
  }
}

/** Where the page of a stage is, behind the URL of the server. */
export const pathOfStage = (type: string, sessionId: string): string =>
  `/_matrix/client/v3/auth/${type}/fallback/web?${new URLSearchParams({ session: sessionId }).toString()}`;
