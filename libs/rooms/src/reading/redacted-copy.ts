import type { JsonObject } from '#kernel/json';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { redactContent } from '#protocol/redaction/redact';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { ROOMS } from '../projections/room-summary.projector.js';
import type { TimelineRow } from '../projections/timeline-row.js';
import type { RoomReader } from './room-reader.js';

/** The version of a reader's room. */
export async function findVersion({ views, roomId }: Pick<RoomReader, 'views' | 'roomId'>): Promise<RoomVersion> {
  const summary = await ROOMS.get(views, [roomId]);
  const version = summary && findRoomVersion(summary.version);
  if (version === undefined) throw new Error(`no version is known of the room ${roomId}`);
  return version;
}

/** An event with no more of its content than a redaction leaves, and what is given besides. */
export function redactedCopy(row: TimelineRow, version: RoomVersion, besides: JsonObject = {}): TimelineRow {
  const { header } = row;
  const { lenient = false } = header;
  const content = (lenient ? parseJson(row.content, { lenient }) : JSON.parse(row.content)) as JsonObject;
  const kept = { ...redactContent(header.type, content, version), ...besides };
  return {
    header: { ...header, sticky: undefined },
    content: lenient ? canonicalJson(kept, { lenient }) : JSON.stringify(kept),
  };
}
