import type { JsonObject } from '#kernel/json';
import { type Errcode, MatrixError } from '#kernel/matrix-error';

/** What the client is told of a session of interactive authentication: client-server API, "User-Interactive API". */
export interface InteractionState {
  readonly session: string;
  readonly flows: readonly { readonly stages: readonly string[] }[];
  readonly params: JsonObject;
  readonly completed: readonly string[];
}

/**
 * 401: stages are missing. With `failure` the last one was tried and failed, and the body names it; without, the body is no
 * error in the usual form but the state of the session alone, as the specification has it.
 */
export class InteractionRequired extends MatrixError {
  constructor(
    private readonly state: InteractionState,
    private readonly failure?: { readonly errcode: Errcode; readonly error: string },
  ) {
    super(failure?.errcode ?? 'M_FORBIDDEN', failure?.error ?? 'Further authentication is required', { status: 401 });
    this.name = 'InteractionRequired';
  }

  override toBody(): JsonObject {
    const { session, flows, params, completed } = this.state;
    return { session, flows: flows as unknown as JsonObject[], params, completed, ...this.failure };
  }
}

/** A stage was tried and failed, but may be tried again. */
export class StageFailed extends Error {
  constructor(
    readonly errcode: Errcode,
    message: string,
  ) {
    super(message);
    this.name = 'StageFailed';
  }
}
