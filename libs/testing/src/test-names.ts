import { KeyedNames } from '#event-store/keyed-names';

/** How the logs of tests name what could be guessed. */
export const TEST_NAMES = new KeyedNames(new Uint8Array(32).fill(7));
