import { isJsonObject, type JsonObject } from '#kernel/json';
import type { DeviceId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { foldMailAddress } from '#mail/mail-address';
import { MAIL_APP, type MailPushers } from '../digests/mail-pusher.js';
import type { PusherName } from '../facts/pusher-facts.js';
import type { WantedPusher } from '../pushers/decide-pushers.js';

/** MSC3881, while it is not accepted. */
export const ENABLED = 'org.matrix.msc3881.enabled';
export const DEVICE_ID = 'org.matrix.msc3881.device_id';

/** What a client asks to become of a pusher: `pusher` is undefined where it is to go. */
export interface PusherRequest {
  readonly name: PusherName;
  readonly pusher: Omit<WantedPusher, 'device_id'> | undefined;
  readonly append: boolean;
  /** Whose it is by what the client says (MSC3881). */
  readonly named?: DeviceId | undefined;
}

const NOTIFY_PATH = '/_matrix/push/v1/notify';
/** "Max length, 64 chars." */
const MOST_APP_ID = 64;
/** "Max length, 512 bytes." */
const MOST_PUSHKEY_BYTES = 512;
const MOST_NAME_BYTES = 1_024;
const MOST_DATA_BYTES = 16_384;

/**
 * The body of `POST /pushers/set` (client-server API, "Push Rules: API", and that of 2015). Throws M_MISSING_PARAM, M_BAD_JSON,
 * M_INVALID_PARAM, each naming the key.
 */
export function parsePusher(body: JsonObject, mails: Pick<MailPushers, 'nameOf'>): PusherRequest {
  const { kind, append = false } = body;
  if (typeof append !== 'boolean') throw badJson('append');
  const name = { app_id: readText(body, 'app_id'), pushkey: readText(body, 'pushkey') };
  if (name.app_id === '' || [...name.app_id].length > MOST_APP_ID) throw invalid('app_id', 'not 1 to 64 characters');
  if (name.pushkey === '' || Buffer.byteLength(name.pushkey) > MOST_PUSHKEY_BYTES)
    throw invalid('pushkey', 'not 1 to 512 bytes');
  if (kind === undefined) throw missing('kind');
  const address = name.app_id === MAIL_APP ? foldMailAddress(name.pushkey) : undefined;
  const named = address === undefined ? name : mails.nameOf(address);
  if (kind === null) return { name: named, pusher: undefined, append };
  if (typeof kind !== 'string') throw badJson('kind');
  if (kind !== 'http' && kind !== 'email') throw invalid('kind', 'only http, email and null are known here');
  if ((kind === 'email') !== (name.app_id === MAIL_APP))
    throw invalid('app_id', `${MAIL_APP} is that of the kind email`);
  if (kind === 'email' && address === undefined) throw invalid('pushkey', 'no mail address');
  const enabled = body[ENABLED];
  if (enabled !== undefined && typeof enabled !== 'boolean') throw badJson(ENABLED);
  const device = body[DEVICE_ID] == null ? undefined : (readName(body, DEVICE_ID) as DeviceId); // compared, and nothing else
  const profileTag = body['profile_tag'] == null ? undefined : readName(body, 'profile_tag');
  const pusher = {
    ...named,
    kind,
    app_display_name: readName(body, 'app_display_name'),
    device_display_name: readDeviceName(body, address),
    lang: readName(body, 'lang'),
    ...(profileTag === undefined ? {} : { profile_tag: profileTag }),
    data: kind === 'http' ? readGatewayData(body) : readMailData(body),
    enabled,
  } as const;
  return { name: named, pusher, append, named: device };
}

function readText(body: JsonObject, key: string): string {
  const value = body[key];
  if (value === undefined || value === null) throw missing(key);
  if (typeof value !== 'string') throw badJson(key);
  return value;
}

function readName(body: JsonObject, key: string): string {
  const name = readText(body, key);
  if (Buffer.byteLength(name) > MOST_NAME_BYTES) throw invalid(key, `more than ${MOST_NAME_BYTES} bytes`);
  return name;
}

/** Clients have the address there too, of a pusher that mails. '' stands for it: what is kept does not say it. */
function readDeviceName(body: JsonObject, address: string | undefined): string {
  const name = readName(body, 'device_display_name');
  return address !== undefined && foldMailAddress(name) === address ? '' : name;
}

/** "If `kind` is `email`", nothing of it is required; `brand` is what the client is called. */
function readMailData({ data = {} }: JsonObject): JsonObject {
  return readObject(data ?? {});
}

function readObject(data: unknown): JsonObject {
  if (!isJsonObject(data)) throw badJson('data');
  if (Buffer.byteLength(JSON.stringify(data)) > MOST_DATA_BYTES)
    throw invalid('data', `more than ${MOST_DATA_BYTES} bytes`);
  return data;
}

function readGatewayData(body: JsonObject): JsonObject {
  if (body['data'] === undefined || body['data'] === null) throw missing('data');
  const data = readObject(body['data']);
  if (data['url'] === undefined) throw missing('data.url');
  if (typeof data['url'] !== 'string') throw badJson('data.url');
  if (data['format'] != null && typeof data['format'] !== 'string') throw badJson('data.format');
  if (!isGateway(data['url'])) throw invalid('data.url', `must be an https URL with the path ${NOTIFY_PATH}`);
  return data;
}

/** "MUST be an HTTPS URL with a path of `/_matrix/push/v1/notify`." */
function isGateway(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  if (url.protocol !== 'https:' || url.pathname !== NOTIFY_PATH) return false;
  return url.username === '' && url.password === '' && url.hash === '';
}

const missing = (key: string): MatrixError => new MatrixError('M_MISSING_PARAM', `${key}: required`);
const badJson = (key: string): MatrixError => new MatrixError('M_BAD_JSON', `${key}: not of the expected type`);
const invalid = (key: string, reason: string): MatrixError => new MatrixError('M_INVALID_PARAM', `${key}: ${reason}`);
