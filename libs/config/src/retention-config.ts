import { parseDuration } from './duration.js';
import type { Settings } from './settings.js';

/** For how long messages are kept: MSC1763. Times are in milliseconds; undefined: no limit. */
export interface RetentionConfig {
  /** Whether any message ever goes because of its age. */
  readonly isOn: boolean;
  /** What rooms get that say nothing themselves. */
  readonly defaultMinMs?: number;
  readonly defaultMaxMs?: number;
  /** Within which limits the lifetime of messages is, whatever a room says. */
  readonly allowedMinMs?: number;
  readonly allowedMaxMs?: number;
}

/** All of it checked by the validator. */
export function retentionOf(settings: Settings): RetentionConfig {
  const timeOf = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : parseDuration(text);
  return Object.freeze({
    isOn: settings.retention === 'on',
    defaultMinMs: timeOf(settings.retention_default_min),
    defaultMaxMs: timeOf(settings.retention_default_max),
    allowedMinMs: timeOf(settings.retention_allowed_min),
    allowedMaxMs: timeOf(settings.retention_allowed_max),
  });
}
