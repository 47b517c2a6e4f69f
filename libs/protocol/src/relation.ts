import type { EventId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';

export const THREAD = 'm.thread';
export const REPLACE = 'm.replace';
export const REFERENCE = 'm.reference';
export const ANNOTATION = 'm.annotation';

/** What an event says that it relates to. Each part is there only where it is a text: nothing holds a sender to the form. */
export interface Relation {
  readonly relType: string | undefined;
  /** Not checked to be the id of an event. */
  readonly parent: EventId | undefined;
  /** With what it annotates the other event. */
  readonly key: string | undefined;
}

/** The relation in an event's content; undefined where there is none: client-server API, "Forming relationships between events". */
export function relationOf(content: JsonObject): Relation | undefined {
  const relation = content['m.relates_to'];
  if (!isJsonObject(relation)) return undefined;
  const { rel_type: relType, event_id: parent, key } = relation;
  return { relType: textOf(relType), parent: textOf(parent) as EventId | undefined, key: textOf(key) };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
