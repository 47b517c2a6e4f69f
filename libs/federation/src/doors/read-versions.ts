import type { Query } from '#http/query';
import { FIRST_ROOM_VERSION } from '#protocol/room-versions/room-versions';

/** The room versions that a server says it knows, `ver` of its query: the first where it says nothing. */
export function readVersions({ ver }: Query): readonly string[] {
  if (ver === undefined) return [FIRST_ROOM_VERSION];
  return typeof ver === 'string' ? [ver] : ver;
}
