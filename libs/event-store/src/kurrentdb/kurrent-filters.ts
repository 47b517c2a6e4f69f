import { type Place } from './commit-position.js';
import type { StreamNames } from './stream-names.js';

export type Library = typeof import('@kurrent/kurrentdb-client');

/** How many events that are not ours the server searches at once. */
const SEARCH_WINDOW = 1000;
/** After how many of those a subscription is told how far it has come. */
const CHECKPOINT_INTERVAL = 5;

/** How the server is asked for what is ours, of all that it has. */
export class KurrentFilters {
  constructor(
    private readonly library: Library,
    private readonly names: StreamNames,
  ) {}

  /** For the streams of this namespace alone. */
  filter(prefix?: string) {
    return this.#filter([this.names.prefixOnServer(prefix)]);
  }

  /** For who follows them: what is erased is told too. `onSearched`: told up to where a subscription has found nothing. */
  filterToFollow(onSearched: (place: Place) => void) {
    return this.#filter([this.names.prefixOnServer(), this.names.erasures], onSearched);
  }

  /** A place as what to read or subscribe from. */
  from(place: Place) {
    return place.commit === 0n ? this.library.START : place;
  }

  #filter(prefixes: string[], onSearched?: (place: Place) => void) {
    return this.library.streamNameFilter({
      prefixes,
      maxSearchWindow: SEARCH_WINDOW,
      checkpointInterval: CHECKPOINT_INTERVAL,
      checkpointReached: onSearched && (async (_, place) => onSearched(place)),
    });
  }
}
