import type { Settings } from './settings.js';

/** A Matrix Authentication Service that is trusted to say who somebody is. */
export interface MasConfig {
  /** Where this server asks it: an origin (or deeper), with no slash at its end. */
  readonly url: string;
  /** What it and this server know alone. */
  readonly secret: string;
}

/** All of it checked by the validator. */
export function masOf({ mas_url: url, mas_secret: secret }: Settings): MasConfig | undefined {
  if (url === undefined || secret === undefined) return undefined;
  return Object.freeze({ url: url.replace(/\/+$/, ''), secret });
}
