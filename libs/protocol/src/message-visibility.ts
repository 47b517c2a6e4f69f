import { type EventId, isEventId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import type { AuthState } from './event-auth/auth-state.js';
import { levelToSend, powerLevelOf } from './event-auth/power-levels.js';
import { REFERENCE } from './relation.js';
import type { RoomVersion } from './room-versions/room-version.js';

/** How clients in use spell it. */
const UNSTABLE = 'org.matrix.msc3531.visibility';
const NAMES: readonly string[] = Object.freeze(['m.visibility', UNSTABLE]);
const REASON = 'org.matrix.msc3531.reason';

/** That an event hides another one, or shows it again. */
export interface VisibilityChange {
  readonly target: EventId;
  readonly isVisible: boolean;
}

/** What is looked at of an event. */
interface Said {
  readonly type: string;
  readonly stateKey?: string | undefined;
  readonly content: JsonObject;
}

/**
 * What an event says of the visibility of another one, whoever sent it; undefined where it says nothing of it, or not in the form: MSC3531, "Proposal".
 * The proposal had two forms, one after the other, and both are taken: an event of a type of its own that references the other one, and says `visible`; and
 * any event with a relation of its own, which says `visibility`. The latter may be encrypted but for the relation.
 */
export function visibilityChangeOf({ type, stateKey, content }: Said): VisibilityChange | undefined {
  const relation = content['m.relates_to'];
  if (stateKey !== undefined || !isJsonObject(relation)) return undefined;
  const { rel_type: relType, event_id: target } = relation;
  if (typeof relType !== 'string' || typeof target !== 'string' || !isEventId(target)) return undefined;
  if (NAMES.includes(relType)) {
    const said = relation['visibility'] ?? relation[UNSTABLE];
    if (said !== 'hidden' && said !== 'visible') return undefined;
    return { target, isVisible: said === 'visible' };
  }
  if (relType !== REFERENCE || !NAMES.includes(type)) return undefined;
  // The proposal has it in the relation, clients beside it.
  const { visible = content['visible'] } = relation;
  return typeof visible === 'boolean' ? { target, isVisible: visible } : undefined;
}

/** Why an event is hidden, as the content of the event that hides it says; undefined where that says nothing. */
export function hidingReasonOf(content: JsonObject): string | undefined {
  const relation = content['m.relates_to'];
  const inRelation = isJsonObject(relation) ? relation['reason'] : undefined;
  const reason = content['reason'] ?? content[REASON] ?? inRelation;
  return typeof reason === 'string' ? reason : undefined;
}

/**
 * Whether a user may hide messages of a room and is shown what is hidden there: who has the level "needed to send *state event* `m.visibility`",
 * under either name.
 */
export function mayChangeVisibility(userId: string, state: AuthState, version: RoomVersion): boolean {
  const level = powerLevelOf(userId, state, version);
  return NAMES.some((name) => level >= levelToSend(name, true, state, version));
}
