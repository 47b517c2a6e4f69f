import type { WantedKey } from '#rooms/server-keys';
import type { KeyRing } from '../keys/key-ring.js';

interface LacksKeys {
  readonly wantedKeys: readonly WantedKey[];
}

/**
 * Takes something that another server signed; where keys lack by which it can be checked, once more when they were fetched. Answers
 * undefined where they are not to be had.
 */
export async function takeWithKeys<T>(
  keys: Pick<KeyRing, 'fetch'>,
  take: () => Promise<T | LacksKeys>,
): Promise<T | undefined> {
  const taken = await take();
  if (!lacksKeys(taken)) return taken;
  await keys.fetch(taken.wantedKeys);
  const again = await take();
  return lacksKeys(again) ? undefined : again;
}

function lacksKeys(taken: unknown): taken is LacksKeys {
  return typeof taken === 'object' && taken !== null && 'wantedKeys' in taken;
}
