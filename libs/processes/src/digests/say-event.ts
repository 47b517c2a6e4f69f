import { isJsonObject, type JsonObject } from '#kernel/json';
import { plainLine, plainLines } from './plain-text.js';

const MOST_TEXT = 600;
const MOST_LINES = 12;
const MOST_NAME = 80;

/** What is sent, by the type of a message that is none of text. */
const SENT: Readonly<Record<string, string>> = {
  'm.image': 'Sent a picture',
  'm.video': 'Sent a video',
  'm.audio': 'Sent a sound',
  'm.file': 'Sent a file',
  'm.location': 'Sent a place',
};

/** What happened, by the type of an event that is no message. */
const HAPPENED: Readonly<Record<string, string>> = {
  'm.sticker': 'Sent a sticker',
  'm.call.invite': 'Called you',
  'm.reaction': 'Reacted to a message',
  'm.room.encrypted': 'Sent an encrypted message',
  'm.room.tombstone': 'Has this room replaced by another one',
  'm.poll.start': 'Asks you something',
  'org.matrix.msc3381.poll.start': 'Asks you something',
};

/** What an event says, in plain text: of what people wrote the beginning. */
export function sayEvent(type: string, content: JsonObject, isForReader: boolean): string {
  if (type === 'm.room.message') return sayMessage(content);
  if (type === 'm.room.member' && content['membership'] === 'invite')
    return isForReader ? 'Invites you to this room' : 'Invited somebody';
  const happened = HAPPENED[type] ?? 'Something happened in this room';
  const name = textOf(content['body']);
  return type === 'm.sticker' && name !== '' ? `${happened}: ${plainLine(name, MOST_NAME)}` : happened;
}

function sayMessage(content: JsonObject): string {
  const body = textOf(content['body']);
  const sent = SENT[textOf(content['msgtype'])];
  if (sent !== undefined) {
    const name = textOf(content['filename']) || body;
    return name === '' ? sent : `${sent}: ${plainLine(name, MOST_NAME)}`;
  }
  const says = plainLines(isReply(content) ? withoutFallback(body) : body, MOST_TEXT, MOST_LINES);
  if (says === '') return 'Sent a message';
  return content['msgtype'] === 'm.emote' ? `* ${says}` : says;
}

function isReply({ 'm.relates_to': relation }: JsonObject): boolean {
  return isJsonObject(relation) && isJsonObject(relation['m.in_reply_to']);
}

/** "Clients SHOULD strip the fallback": the lines that begin with `>`, before an empty one. */
function withoutFallback(body: string): string {
  const lines = body.split('\n');
  const first = lines.findIndex((line) => !line.startsWith('> ') && line !== '>');
  return first <= 0 ? body : lines.slice(first).join('\n').trimStart();
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
