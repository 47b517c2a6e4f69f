import type { RecordedFact } from '#event-store/event-store';
import { type RoomId, type ServerName, type UserId, isUserId, serverNameOf } from '#kernel/ids';
import { type JsonObject, isJsonObject } from '#kernel/json';
import type { PushRule, PushRuleKind } from '#protocol/push-rules/push-rule';
import type { PushRuleSet } from '#push/facts/push-rule-facts';
import { type PushRuleChanges, ownRules } from '#push/rules/push-rule-changes';
import { roomIdOfStream } from '#rooms/facts/room-facts';

/** A user of this server who is in a room since this fact, as far as the fact alone tells. */
export interface LocalJoin {
  readonly userId: UserId;
  readonly roomId: RoomId;
}

/**
 * The join of a local user in a fact of a room, undefined where it is none.
 * PERF: only facts whose text speaks of a join are parsed.
 */
export function localJoinOf(fact: RecordedFact, serverName: ServerName): LocalJoin | undefined {
  if (fact.type !== 'pdu-accepted' || !fact.data.includes('"membership":"join"')) return undefined;
  const { pdu } = JSON.parse(fact.data) as { readonly pdu: JsonObject };
  const { type, state_key: userId, content } = pdu;
  if (type !== 'm.room.member' || !isJsonObject(content) || content['membership'] !== 'join') return undefined;
  if (typeof userId !== 'string' || !isUserId(userId) || serverNameOf(userId) !== serverName) return undefined;
  return { userId, roomId: roomIdOfStream(fact.stream) };
}

/** `m.direct` with the new room wherever the old one is; undefined where that changes nothing. */
export function directRoomsWith(direct: JsonObject, from: RoomId, to: RoomId): JsonObject | undefined {
  let changed = false;
  const entries = Object.entries(direct).map(([user, rooms]) => {
    if (!Array.isArray(rooms) || !rooms.includes(from) || rooms.includes(to)) return [user, rooms] as const;
    changed = true;
    return [user, [...(rooms as unknown[]), to]] as const;
  });
  return changed ? (Object.fromEntries(entries) as JsonObject) : undefined;
}

/** A rule of the old room, made for the new one. */
export interface SucceedingRule {
  readonly rule: PushRuleSet;
  readonly enabled: boolean;
}

/**
 * The user's own rules about the old room (of the kind `room`, or overrides that bear its id, by which clients mute rooms),
 * made for the new one, where that has none yet.
 */
export function succeedingRules(changes: PushRuleChanges, from: RoomId, to: RoomId): SucceedingRule[] {
  const kinds: readonly PushRuleKind[] = ['override', 'room'];
  return kinds.flatMap((kind) => {
    const rules = ownRules(changes, kind);
    const old = rules.find((rule) => rule.rule_id === from);
    if (old === undefined || rules.some((rule) => rule.rule_id === to)) return [];
    return [{ rule: ruleFor(kind, old, from, to), enabled: old.enabled }];
  });
}

function ruleFor(kind: PushRuleKind, old: PushRule, from: RoomId, to: RoomId): PushRuleSet {
  const conditions = old.conditions?.map((condition) =>
    condition['key'] === 'room_id' && condition['pattern'] === from ? { ...condition, pattern: to } : condition,
  );
  return { kind, rule_id: to, actions: old.actions, ...(conditions === undefined ? {} : { conditions }), after: from };
}
