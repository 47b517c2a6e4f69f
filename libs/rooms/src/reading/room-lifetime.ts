import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { lifetimeOf, readRetentionPolicy } from '../decide/retention.js';
import { RETENTION_TYPES } from '../facts/retention-facts.js';
import { RETENTION_RULES, RULES_KEY } from '../projections/retention.projector.js';
import { ROOM_STATE } from '../projections/room-state.projector.js';
import { contentOfRow, parseRow } from '../projections/timeline-row.js';

/**
 * After how many milliseconds messages of a room are over, by its policy of now and the rules of this server; undefined: never. PERF: one
 * read where no message ever goes.
 */
export async function findLifetime(views: Pick<Views, 'get' | 'getMany'>, roomId: RoomId): Promise<number | undefined> {
  const rules = await RETENTION_RULES.get(views, RULES_KEY);
  if (rules?.on !== true) return undefined;
  const keys = RETENTION_TYPES.map((type) => [roomId, type, ''] as const);
  const [text] = (await ROOM_STATE.getMany(views, keys)).filter((row) => row !== undefined);
  return lifetimeOf(rules, text === undefined ? undefined : readRetentionPolicy(contentOfRow(parseRow(text))));
}
