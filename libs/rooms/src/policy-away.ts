import { MatrixError } from '#kernel/matrix-error';

/** The policy server of a room does not answer, so that nothing of ours can be sent there for now. The status says that it is worth another try. */
export class PolicyAway extends MatrixError {
  constructor(cause?: unknown) {
    super('M_UNKNOWN', "The room's policy server does not answer", { status: 503, cause });
  }
}
