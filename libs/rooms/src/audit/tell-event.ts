import { isJsonObject, type JsonObject } from '#kernel/json';
import { tellValue } from '#kernel/tell-value';
import { hidingReasonOf, type VisibilityChange, visibilityChangeOf } from '#protocol/message-visibility';
import { relationOf, REPLACE } from '#protocol/relation';
import { type People, quoted, shortened } from './people.js';
import { tellMembership } from './tell-membership.js';
import { tellPowerLevels } from './tell-power-levels.js';

/** An event, and what it took the place of. */
export interface EventTold {
  readonly type: string;
  readonly sender: unknown;
  /** Of a state event. */
  readonly stateKey: string | undefined;
  readonly content: JsonObject;
  /** The content of the state event whose place it took. */
  readonly before: JsonObject | undefined;
  /** In words, what a redaction redacted: "a message of bob". */
  readonly redacted?: string;
  /** It left its key to nothing. */
  readonly isDeletion?: boolean;
  /** A redaction has taken its content since. */
  readonly isRedacted?: boolean;
}

/** How much an audit tells. */
export interface Telling {
  readonly people: People;
  /** Whether the texts of messages are told. They are what people said to each other: not without being asked for. */
  readonly messages: boolean;
}

/** What an event did, in words that follow upon the name of its sender: "changed the topic to "…"", "kicked bob: spam". */
export function tellEvent(event: EventTold, telling: Telling): string {
  const words = event.stateKey === undefined ? tellMessage(event, telling) : tellState(event, event.stateKey, telling);
  return event.isRedacted === true ? `${words} (redacted since)` : words;
}

type Tell = (event: EventTold, stateKey: string, people: People) => string;

const STATES: Readonly<Record<string, Tell>> = {
  'm.room.create': ({ content }) => tellCreation(content),
  'm.room.member': ({ sender, content, before }, target, people) =>
    tellMembership({ sender, target, content, before }, people),
  'm.room.power_levels': ({ content, before }, _, people) => tellPowerLevels(content, before, people),
  'm.room.name': (event) => tellText(event, 'name', 'name'),
  'm.room.topic': (event) => tellText(event, 'topic', 'topic'),
  'm.room.avatar': ({ content }) =>
    content['url'] === undefined ? 'removed the picture of the room' : 'changed the picture of the room',
  'm.room.join_rules': (event) => tellChoice(event, 'join_rule', 'join rule'),
  'm.room.history_visibility': (event) => tellChoice(event, 'history_visibility', 'history visibility'),
  'm.room.guest_access': (event) => tellChoice(event, 'guest_access', 'guest access'),
  'm.room.canonical_alias': (event) => tellText(event, 'alias', 'main alias'),
  'm.room.encryption': ({ content }) =>
    `turned encryption on (${shortened(tellValue(content['algorithm'] ?? 'unknown'))})`,
  'm.room.pinned_events': ({ content, before }) => tellPinned(content, before),
  'm.room.server_acl': () => 'changed which servers may take part',
  'm.room.third_party_invite': ({ content }) =>
    content['display_name'] === undefined
      ? 'took back a third-party invitation'
      : `sent a third-party invitation to ${quoted(content['display_name'])}`,
  'm.room.tombstone': ({ content }) =>
    `closed the room, which goes on in ${shortened(tellValue(content['replacement_room'] ?? 'no other'))}`,
  'm.space.child': ({ content }, room) =>
    Array.isArray(content['via']) ? `added ${room} to the space` : `took ${room} out of the space`,
  'm.space.parent': ({ content }, room) =>
    Array.isArray(content['via'])
      ? `named ${room} a space of this room`
      : `no longer names ${room} a space of this room`,
};

/** Of these a redaction leaves what they are about; of all others nothing that could be told. */
const OUTLAST_REDACTION: ReadonlySet<string> = new Set([
  'm.room.create',
  'm.room.member',
  'm.room.power_levels',
  'm.room.join_rules',
  'm.room.history_visibility',
]);

function tellState(event: EventTold, stateKey: string, { people }: Telling): string {
  const what = stateKey === '' ? event.type : `${event.type} (${stateKey})`;
  if (event.isDeletion === true) return `deleted ${what}`;
  const isKnown = Object.hasOwn(STATES, event.type) && (event.isRedacted !== true || OUTLAST_REDACTION.has(event.type));
  const tell = isKnown ? STATES[event.type] : undefined;
  if (tell !== undefined) return tell(event, stateKey, people);
  return event.before === undefined ? `set ${what}` : `changed ${what}`;
}

function tellCreation(content: JsonObject): string {
  const kind = content['type'] === 'm.space' ? 'the space' : 'the room';
  const { predecessor } = content;
  const from = isJsonObject(predecessor) ? `, in the place of ${tellValue(predecessor['room_id'])}` : '';
  return `created ${kind} (version ${shortened(tellValue(content['room_version'] ?? '1'))})${from}`;
}

function tellText({ content, before }: EventTold, key: string, name: string): string {
  const [text, old] = [content[key], before?.[key]];
  const isEmpty = text === undefined || text === null || text === '';
  if (isEmpty) return `removed the ${name}`;
  return old === undefined || old === null || old === ''
    ? `set the ${name} to ${quoted(text)}`
    : `changed the ${name} from ${quoted(old)} to ${quoted(text)}`;
}

function tellChoice({ content, before }: EventTold, key: string, name: string): string {
  const now = shortened(tellValue(content[key] ?? 'nothing'));
  return before?.[key] === undefined
    ? `set the ${name} to ${now}`
    : `changed the ${name} from ${shortened(tellValue(before[key]))} to ${now}`;
}

function tellPinned(content: JsonObject, before: JsonObject | undefined): string {
  const idsOf = (from: JsonObject | undefined): Set<unknown> => {
    const pinned = from?.['pinned'];
    return new Set(Array.isArray(pinned) ? (pinned as unknown[]) : []);
  };
  const [now, then] = [idsOf(content), idsOf(before)];
  const added = [...now].filter((id) => !then.has(id)).length;
  const removed = [...then].filter((id) => !now.has(id)).length;
  const changes = [added > 0 && `pinned ${added}`, removed > 0 && `unpinned ${removed}`].filter(Boolean);
  return changes.length === 0 ? 'put the pinned events in another order' : `${changes.join(' and ')} of the events`;
}

function tellMessage(event: EventTold, { messages }: Telling): string {
  const { type, content, isRedacted, redacted } = event;
  if (type === 'm.room.redaction') {
    const reason = content['reason'];
    const why = typeof reason === 'string' && reason !== '' ? `: ${shortened(reason)}` : '';
    return `redacted ${redacted ?? 'an event'}${why}`;
  }
  const change = visibilityChangeOf({ type, content });
  if (change !== undefined) return tellVisibility(change, content);
  if (type === 'm.room.encrypted') return 'sent an encrypted message';
  if (type === 'm.reaction') return tellReaction(content, messages);
  if (type !== 'm.room.message') return `sent ${type}`;
  if (isRedacted === true) return 'sent a message';
  const isEdit = relationOf(content)?.relType === REPLACE;
  const said = isEdit && isJsonObject(content['m.new_content']) ? content['m.new_content'] : content;
  const body = typeof said['body'] === 'string' ? said['body'] : '';
  const kind = shortened(tellValue(said['msgtype'] ?? 'no msgtype'), 60);
  const what = isEdit ? 'edited a message' : 'sent a message';
  return messages
    ? `${what} (${kind}): ${shortened(body, 2000)}`
    : `${what} (${kind}, ${Buffer.byteLength(body)} bytes)`;
}

/** What its sender may have no power to do: then it did nothing. */
function tellVisibility({ isVisible }: VisibilityChange, content: JsonObject): string {
  const reason = isVisible ? undefined : hidingReasonOf(content);
  const what = isVisible ? 'marked an event as visible' : 'marked an event as hidden';
  return reason === undefined || reason === '' ? what : `${what}: ${shortened(reason)}`;
}

function tellReaction(content: JsonObject, messages: boolean): string {
  const key = relationOf(content)?.key;
  return messages && key !== undefined ? `reacted with ${quoted(key)}` : 'sent a reaction';
}

/** What an event was, for the words of its redaction: "a message of bob". */
export function nameOfEvent(
  { type, sender, stateKey }: Pick<EventTold, 'type' | 'sender' | 'stateKey'>,
  people: People,
): string {
  if (stateKey !== undefined) return `the ${type} of ${people(sender)}`;
  const isMessage = type === 'm.room.message' || type === 'm.room.encrypted';
  return `${isMessage ? 'a message' : type === 'm.reaction' ? 'a reaction' : `an event (${type})`} of ${people(sender)}`;
}
