import { type RoomId, parseRoomId } from '#kernel/ids';
import { isJsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';

/** Where a page of a space's hierarchy ended, and what was asked for: "`max_depth` and `suggested_only` cannot be changed". */
export interface HierarchyToken {
  readonly root: RoomId;
  readonly maxDepth: number;
  readonly suggestedOnly: boolean;
  /** The last room told. */
  readonly last: RoomId;
}

const MAX_LENGTH = 2_000;

/** The token as clients hold it. */
export function formatHierarchyToken({ root, maxDepth, suggestedOnly, last }: HierarchyToken): string {
  return Buffer.from(JSON.stringify([root, maxDepth, suggestedOnly, last])).toString('base64url');
}

/**
 * Reads what `formatHierarchyToken` wrote, for the same question as before. Throws M_INVALID_PARAM. Nobody learns anything by
 * making one up: it only says where to go on.
 */
export function parseHierarchyToken(
  text: string,
  asked: Pick<HierarchyToken, 'root' | 'maxDepth' | 'suggestedOnly'>,
): HierarchyToken {
  const values = text.length > MAX_LENGTH ? undefined : parse(Buffer.from(text, 'base64url').toString());
  const [root, maxDepth, suggestedOnly, last] = Array.isArray(values) ? values : [];
  if (typeof last !== 'string') {
    throw new MatrixError('M_INVALID_PARAM', 'from: not a token of this server');
  }
  if (root !== asked.root || maxDepth !== asked.maxDepth || suggestedOnly !== asked.suggestedOnly) {
    throw new MatrixError('M_INVALID_PARAM', 'max_depth and suggested_only cannot be changed from page to page');
  }
  return { ...asked, last: parseRoomId(last) };
}

function parse(text: string): JsonValue | undefined {
  try {
    const value = JSON.parse(text) as JsonValue;
    return isJsonObject(value) ? undefined : value;
  } catch {
    return undefined;
  }
}
