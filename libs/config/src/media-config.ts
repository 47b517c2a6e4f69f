import { parseByteCount } from './byte-count.js';
import { listOf } from './list-of.js';
import type { Settings } from './settings.js';

const MS_PER_DAY = 24 * 60 * 60_000;

/** What is kept of media, in bytes. */
export interface MediaConfig {
  /** The largest file that is taken: of users here, and of other servers. */
  readonly maxBytes: number;
  /** What one user may have uploaded in all; undefined: as much as they like. */
  readonly quotaBytes?: number;
  /** What is kept of other servers' media before those give way that nobody has asked for the longest. */
  readonly cacheBytes: number;
  /** For how many days nobody has to have asked for one of them before it goes; undefined: as long as there is room. */
  readonly cacheDays?: number;
  /** Whether media are given to those alone who say who they are. */
  readonly isFrozen: boolean;
  /** How long after an event that showed it was redacted an upload of the same user goes, in milliseconds; undefined: it stays. */
  readonly freeRedactedMs?: number;
  /** Where their content is; undefined: in the data folder. */
  readonly bucket?: BucketConfig;
}

/** What is told of pages that users link to. */
export interface PreviewsConfig {
  readonly isOn: boolean;
  /** Hosts that are not asked, as globs. */
  readonly deny: readonly string[];
  /** Hosts that are asked at an address that is none of the Internet too, with a port or for any. */
  readonly privateHosts: readonly string[];
}

/** A bucket of a store that speaks S3. */
export interface BucketConfig {
  readonly url: string;
  readonly keyId: string;
  readonly secret: string;
  readonly region: string;
}

/** All of it checked by the validator. */
export function mediaOf(settings: Settings): MediaConfig {
  const { media_max_upload, media_quota, media_cache, media_freeze, media_free_redacted: days } = settings;
  return Object.freeze({
    maxBytes: parseByteCount(media_max_upload) ?? 0,
    quotaBytes: media_quota === undefined ? undefined : parseByteCount(media_quota),
    cacheBytes: parseByteCount(media_cache) ?? 0,
    cacheDays: settings.media_cache_days === undefined ? undefined : Number(settings.media_cache_days),
    isFrozen: media_freeze === 'on',
    freeRedactedMs: days === undefined ? undefined : Number(days) * MS_PER_DAY,
    bucket: bucketOf(settings),
  });
}

/** All of it checked by the validator. */
function bucketOf({
  media_bucket: url,
  media_bucket_key_id: keyId,
  media_bucket_secret: secret,
  media_bucket_region: region,
}: Settings): BucketConfig | undefined {
  if (url === undefined || keyId === undefined || secret === undefined) return undefined;
  return Object.freeze({ url, keyId, secret, region });
}

/** All of it checked by the validator. */
export function previewsOf({ previews, previews_deny, previews_private_hosts }: Settings): PreviewsConfig {
  return Object.freeze({
    isOn: previews === 'on',
    deny: Object.freeze(listOf(previews_deny)),
    privateHosts: Object.freeze(listOf(previews_private_hosts)),
  });
}
