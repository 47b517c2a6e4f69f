import { isIP } from 'node:net';
import { isServerName } from '#kernel/ids';
import { isUrlBy } from '#kernel/is-web-address';
import { parseByteCount } from './byte-count.js';
import { parseDuration } from './duration.js';

/* What the text of a setting may be. */

export function isUrl(protocols: readonly string[]): (text: string) => boolean {
  return (text) => isUrlBy(protocols, text);
}

export const isMongoUrl = (text: string): boolean => /^mongodb(\+srv)?:\/\/[^/\s]+/.test(text);
export const isKurrentUrl = (text: string): boolean =>
  /^(kurrentdb|kdb|esdb|eventstoredb)(\+discover)?:\/\/[^/\s]+/.test(text);
export function isAddressOrNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  const isPrefix = bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
  return version !== 0 && isPrefix && rest.length === 0;
}

export const isByteCount = (text: string): boolean => parseByteCount(text) !== undefined;
export function areServerNames(text: string): boolean {
  return text.split(',').every((name) => isServerName(name.trim()));
}

export const isDuration = (text: string): boolean => parseDuration(text) !== undefined;
export const isDays = (text: string): boolean => /^\d{1,4}$/.test(text);
export const areGlobs = (text: string): boolean => text.split(',').every((item) => /^[\w.:[\]*?-]+$/.test(item.trim()));
export const areRooms = (text: string): boolean => text.split(',').every((room) => /^[!#][^\s,]+$/.test(room.trim()));
export const isNamespace = (text: string): boolean => /^[a-z][a-z0-9-]{0,62}$/.test(text);
export const areTurnUris = (text: string): boolean =>
  text.split(',').every((uri) => /^turns?:[^\s,]+$/.test(uri.trim()));
export const isTurnLifetime = (text: string): boolean =>
  /^\d{2,6}$/.test(text) && Number(text) >= 60 && Number(text) <= 604_800;
export const isLocalpart = (text: string): boolean => /^[a-z0-9._=/+-]{1,64}$/.test(text);
export const isFilled = (text: string): boolean => text.trim() !== '';
export const isSender = (text: string): boolean =>
  /^([^<>@\r\n"]* <[^\s@<>,]+@[^\s@<>,]+>|[^\s@<>,]+@[^\s@<>,]+)$/.test(text);
export const areClientUrls = (text: string): boolean =>
  text.split(',').every((url) => URL.canParse(url.trim()) && /^[a-z][a-z0-9+.-]*:\/\//i.test(url.trim()));
export const areLoginFlows = (text: string): boolean =>
  text.split(',').every((flow) => /^[a-z0-9_.]+(\+[a-z0-9_.]+)*$/.test(flow.trim()));
