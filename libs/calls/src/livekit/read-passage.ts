import { hash } from 'node:crypto';
import type { LiveKitConfig } from '#config/livekit-config';
import { isJsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { readWebToken } from './web-token.js';

/** What LiveKit sends: a token, which has the hash of the body. */
export interface Webhook {
  readonly token: string;
  readonly body: Buffer;
}

/** Somebody who came into a room of LiveKit, or is gone from it. */
export interface Passage {
  readonly came: boolean;
  readonly room: string;
  readonly identity: string;
  /** What their token says of them. */
  readonly metadata: string;
}

const CAME: Readonly<Record<string, boolean>> = {
  participant_joined: true,
  participant_left: false,
  participant_connection_aborted: false,
};

/** Who LiveKit says came or is gone; undefined where it says something else. `now` in milliseconds. Throws M_UNAUTHORIZED for what is not of this LiveKit. */
export function readPassage(
  { token, body }: Webhook,
  { key, secret }: Pick<LiveKitConfig, 'key' | 'secret'>,
  now: number,
): Passage | undefined {
  const claims = readWebToken(token.replace(/^Bearer /i, ''), secret, now / 1_000);
  if (claims?.['iss'] !== key || claims['sha256'] !== hash('sha256', body, 'base64')) {
    throw new MatrixError('M_UNAUTHORIZED', 'The request is not signed by LiveKit');
  }
  const said = parse(body);
  const event = textOf(said, 'event') ?? '';
  if (!isJsonObject(said) || !Object.hasOwn(CAME, event)) return undefined;
  const { room, participant } = said;
  const [name, identity, metadata = ''] = [textOf(room, 'name'), textOf(participant, 'identity'), textOf(participant, 'metadata')]; // prettier-ignore
  return name === undefined || identity === undefined ? undefined : { came: CAME[event] === true, room: name, identity, metadata }; // prettier-ignore
}

function parse(body: Buffer): JsonValue | undefined {
  try {
    return JSON.parse(body.toString()) as JsonValue;
  } catch {
    return undefined;
  }
}

function textOf(value: JsonValue | undefined, key: string): string | undefined {
  const text = isJsonObject(value) ? value[key] : undefined;
  return typeof text === 'string' ? text : undefined;
}
