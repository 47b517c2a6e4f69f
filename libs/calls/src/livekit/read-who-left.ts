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

/** Somebody in a room of LiveKit. */
export interface Participant {
  readonly room: string;
  readonly identity: string;
}

const LEFT: ReadonlySet<unknown> = new Set(['participant_left', 'participant_connection_aborted']);

/** Who LiveKit says is gone; undefined where it says something else. `now` in milliseconds. Throws M_UNAUTHORIZED for what is not of this LiveKit. */
export function readWhoLeft(
  { token, body }: Webhook,
  { key, secret }: Pick<LiveKitConfig, 'key' | 'secret'>,
  now: number,
): Participant | undefined {
  const claims = readWebToken(token.replace(/^Bearer /i, ''), secret, now / 1_000);
  if (claims?.['iss'] !== key || claims['sha256'] !== hash('sha256', body, 'base64')) {
    throw new MatrixError('M_UNAUTHORIZED', 'The request is not signed by LiveKit');
  }
  const said = parse(body);
  if (!isJsonObject(said) || !LEFT.has(said['event'])) return undefined;
  const { room, participant } = said;
  const [name, identity] = [textOf(room, 'name'), textOf(participant, 'identity')];
  return name === undefined || identity === undefined ? undefined : { room: name, identity };
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
