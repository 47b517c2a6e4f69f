import { listOf } from './list-of.js';
import type { Settings } from './settings.js';

/** The LiveKit that carries calls of this server's users: MSC4195. */
export interface LiveKitConfig {
  /** Where clients reach it: a WebSocket URL, which is told and compared as it is written. */
  readonly url: string;
  /** Where this server asks it: an origin (or deeper), with no slash at its end. */
  readonly apiUrl: string;
  /** Under which name it knows the secret. */
  readonly key: string;
  readonly secret: string;
  /** The other servers, as globs, whose users may publish there too. */
  readonly publishers: readonly string[];
}

/** By what calls of many are carried: MSC4143, with MSC4195. In the words of both. */
export interface RtcTransport {
  readonly type: 'livekit';
  readonly livekit_service_url: string;
}

/** Where this server does what lk-jwt-service does: below `/_matrix`, which reverse proxies hand on. */
export const LIVEKIT_SERVICE_PATH = '_matrix/client/unstable/dev.annals.livekit';

/** All of it checked by the validator. */
export function liveKitOf(settings: Settings): LiveKitConfig | undefined {
  const { livekit_url: url, livekit_key: key, livekit_secret: secret } = settings;
  if (url === undefined || key === undefined || secret === undefined) return undefined;
  const apiUrl = (settings.livekit_api_url ?? url.replace(/^ws/, 'http')).replace(/\/+$/, '');
  return Object.freeze({ url, apiUrl, key, secret, publishers: Object.freeze(listOf(settings.livekit_publishers)) });
}

/** The service that gives out tokens, which may be this server. */
export function transportsOf(settings: Settings, publicUrl: string): RtcTransport[] {
  const own = settings.livekit_url === undefined ? undefined : `${publicUrl}/${LIVEKIT_SERVICE_PATH}`;
  const service = settings.livekit_service_url ?? own;
  return service === undefined ? [] : [Object.freeze({ type: 'livekit', livekit_service_url: service })];
}
