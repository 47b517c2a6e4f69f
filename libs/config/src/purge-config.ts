import { listOf } from './list-of.js';
import type { Settings } from './settings.js';

const MS_PER_DAY = 24 * 60 * 60_000;

/** What becomes of rooms that nobody of this server is in any more. */
export interface PurgeConfig {
  /** For how many milliseconds nobody has to have been in one before all that is known of it goes; undefined: it stays. */
  readonly afterMs?: number;
  /** Those that stay all the same: room ids, and aliases of this server. */
  readonly except: readonly string[];
}

/** All of it checked by the validator. */
export function purgeOf({ purge_rooms_after: days, purge_rooms_except: except }: Settings): PurgeConfig {
  return Object.freeze({
    afterMs: days === undefined ? undefined : Number(days) * MS_PER_DAY,
    except: Object.freeze(listOf(except)),
  });
}
