import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { THREAD_SUBSCRIPTION } from '#protocol/push-rules/push-rule';

type Check = (value: JsonValue | undefined) => boolean;

const isText: Check = (value) => typeof value === 'string';

/** "Strings, integers in the range of [-(2**53)+1, (2**53)-1], booleans, and null". */
const isScalar: Check = (value) =>
  value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value);

/** What the conditions that the specification knows must have (client-server API, "Push Rules", "Conditions"), and MSC4306's. */
const REQUIRED: ReadonlyMap<string, Readonly<Record<string, Check>>> = new Map<string, Record<string, Check>>([
  ['event_match', { key: isText, pattern: isText }],
  ['event_property_is', { key: isText, value: isScalar }],
  ['event_property_contains', { key: isText, value: isScalar }],
  ['room_member_count', { is: isText }],
  ['sender_notification_permission', { key: isText }],
  [THREAD_SUBSCRIPTION, { subscribed: (value) => typeof value === 'boolean' }],
]);

/**
 * The conditions of a rule that a client sends. One of an unknown kind may hold anything: it matches no event. Throws
 * M_BAD_JSON, M_MISSING_PARAM: clients that read all rules by their schema could read none with another one among them.
 */
export function parseConditions(conditions: readonly unknown[]): JsonObject[] {
  return conditions.map((condition, i) => {
    if (!isJsonObject(condition)) throw new MatrixError('M_BAD_JSON', 'conditions: must be a list of objects');
    const { kind } = condition;
    check(`conditions.${i}`, condition, { kind: isText, ...REQUIRED.get(String(kind)) });
    return condition;
  });
}

function check(path: string, condition: JsonObject, required: Readonly<Record<string, Check>>): void {
  for (const [key, isRight] of Object.entries(required)) {
    const value = condition[key];
    if (value === undefined) throw new MatrixError('M_MISSING_PARAM', `${path}.${key}: required`);
    if (!isRight(value)) throw new MatrixError('M_BAD_JSON', `${path}.${key}: not of the expected type`);
  }
}
