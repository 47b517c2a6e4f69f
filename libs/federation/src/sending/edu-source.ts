import type { RecordedFact } from '#event-store/event-store';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Position } from '#kernel/position';

/** An ephemeral event for another server: server-server API, "EDUs". */
export interface Edu {
  readonly edu_type: string;
  readonly content: JsonObject;
}

/** One that must not be lost. */
export interface DurableEdu extends Edu {
  /** Called once the server has it, or will never take it; not where that was not seen because this process ended. */
  readonly accepted?: (server: ServerName) => void;
}

/** What some servers are to be told. */
export interface AddressedEdu {
  /** Never ours. */
  readonly destinations: Iterable<ServerName>;
  readonly edu: DurableEdu;
}

/**
 * Ephemeral events that must not be lost, made of facts: messages to devices, changes of device lists and of signing keys. They reach each
 * server in the order of the facts, among its PDUs, and are sent until it accepts them: at least once, so each must tell by itself
 * that it came before. One process of all that share a log asks for them, with all views past the fact.
 */
export interface EduSource {
  /** Whether a fact may be told of. Called for every fact, so it looks at the type alone, and at the stream. */
  concerns(fact: RecordedFact): boolean;
  /** What a fact makes other servers be told, in order; most facts nothing. What it throws is tried again. */
  edusOf(fact: RecordedFact): Promise<readonly AddressedEdu[]>;
  /**
   * What a server that was away was to be told from the fact at `since` on (inclusive) up to now, some at a time and in order. What later ones
   * make needless may be left out; what it was told already may be among them.
   */
  missedBy(destination: ServerName, since: Position): AsyncIterable<readonly DurableEdu[]>;
}

/** Injection token of the list of all EduSources. */
export const EDU_SOURCES = Symbol.for('annals.EduSources');
