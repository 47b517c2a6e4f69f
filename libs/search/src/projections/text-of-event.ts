import type { EventId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { relationOf, REPLACE } from '#protocol/relation';
import type { TextKind } from './shelf-row.js';

/** What can be found of an event. */
export interface EventText {
  readonly kind: TextKind;
  readonly text: string;
  /** The event whose text it takes the place of. */
  readonly edits?: EventId;
}

/**
 * The text by which an event is found; undefined where there is none: client-server API, "Server Side Search", `room_events`. Of an edit
 * that of what it makes of another event.
 */
export function textOfEvent(type: string, stateKey: string | undefined, content: JsonObject): EventText | undefined {
  if (type === 'm.room.message' && stateKey === undefined) return textOfMessage(content);
  if (stateKey !== '') return undefined;
  if (type === 'm.room.name') return textIn('name', content['name']);
  if (type === 'm.room.topic') return textIn('topic', topicOf(content));
  return undefined;
}

function textOfMessage(content: JsonObject): EventText | undefined {
  const { relType, parent } = relationOf(content) ?? {};
  if (relType !== REPLACE) return textIn('body', content['body']);
  const made = content['m.new_content'];
  if (parent === undefined || !isJsonObject(made)) return undefined;
  return { kind: 'body', text: typeof made['body'] === 'string' ? made['body'] : '', edits: parent };
}

/** "content.topic as well as the body of the text/plain representation in content['m.topic']". */
function topicOf(content: JsonObject): string | undefined {
  const { topic, 'm.topic': block } = content;
  const forms = isJsonObject(block) ? block['m.text'] : undefined;
  const plain = Array.isArray(forms) ? forms.find(isPlain) : undefined;
  const texts = [topic, isJsonObject(plain) ? plain['body'] : undefined].filter((text) => typeof text === 'string');
  return texts.length === 0 ? undefined : [...new Set(texts)].join('\n');
}

function isPlain(form: unknown): boolean {
  if (!isJsonObject(form)) return false;
  const { mimetype = 'text/plain' } = form;
  return mimetype === 'text/plain';
}

function textIn(kind: TextKind, value: unknown): EventText | undefined {
  return typeof value === 'string' ? { kind, text: value } : undefined;
}
