import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';

/** Receives the EDUs of one type from other servers: server-server API, "EDUs". */
export interface EduHandler {
  readonly type: string;
  /**
   * Takes one. Its content is an object, and nothing else was checked, but that of what is local to a room only rooms are left in which
   * the server may speak (its access list). What must not be lost (messages to devices, device lists) is durable before this settles, for
   * then the server is told so. The same may come again, also after a restart. What it throws fails this EDU alone, and is logged.
   */
  receive(origin: ServerName, content: JsonObject): Promise<void>;
}

/**
 * As an `EduHandler`, for a type of which a later EDU takes the place of those before it: all of a transaction come at
 * once, or of a large one some, behind the others.
 */
export interface GatheringEduHandler {
  readonly type: string;
  /** Takes the contents, in their order. What it throws fails all of them. */
  receiveAll(origin: ServerName, contents: readonly JsonObject[]): Promise<void>;
}

export type AnyEduHandler = EduHandler | GatheringEduHandler;

/** Injection token of all of them: `readonly AnyEduHandler[]`. */
export const EDU_HANDLERS = Symbol.for('annals.EduHandlers');
