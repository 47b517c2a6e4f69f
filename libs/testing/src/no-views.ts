import { START } from '#kernel/position';
import type { Views } from '#projections/views';

/** Views that nobody has written to yet: all there is to know is in the log. */
export const NO_VIEWS: Pick<Views, 'get' | 'scan' | 'position' | 'confirm'> = Object.freeze({
  get: () => Promise.resolve(undefined),
  scan: () => Promise.resolve([]),
  position: () => START,
  confirm: () => Promise.resolve(),
});
