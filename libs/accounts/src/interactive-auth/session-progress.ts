import { MatrixError } from '#kernel/matrix-error';
import type { AuthSession, Learnt } from './auth-sessions.js';

/** Whether a flow has been gone through. */
export function isComplete({ operation, completed }: AuthSession): boolean {
  return operation.flows.some((flow) => flow.length > 0 && flow.every((stage, i) => completed[i] === stage));
}

/** The stages that may come now: those that go on a flow whose beginning is what was completed. */
export function nextStages(session: AuthSession): string[] {
  const { length } = session.completed;
  return flowsLeft(session).flatMap((flow) => flow[length] ?? []);
}

/** Whether a flow is gone through once this stage is, too. */
export function isLast(session: AuthSession, stage: string): boolean {
  const { length } = session.completed;
  return flowsLeft(session).some((flow) => flow[length] === stage && flow.length === length + 1);
}

/**
 * Takes what was learnt by a stage, and the stage as complete, unless it is to be passed again. Throws M_FORBIDDEN where it says that it is another account
 * than the stages before it said.
 */
export function note(session: AuthSession, stage: string, learnt: Learnt = {}, { isKept = true } = {}): void {
  const { userId } = session.learnt;
  if (userId !== undefined && learnt.userId !== undefined && userId !== learnt.userId) {
    throw new MatrixError('M_FORBIDDEN', 'This is not the account of the stages before');
  }
  session.learnt = { ...session.learnt, ...learnt };
  if (isKept && !session.completed.includes(stage)) session.completed.push(stage);
}

function flowsLeft({ operation, completed }: AuthSession): readonly (readonly string[])[] {
  return operation.flows.filter((flow) => completed.every((stage, i) => flow[i] === stage));
}
