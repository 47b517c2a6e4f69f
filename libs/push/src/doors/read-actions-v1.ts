import { isJsonObject } from '#kernel/json';
import type { PushAction } from '#protocol/push-rules/push-rule';

/**
 * Actions of a rule as "Push Notifications HTTP API" of 2015 writes them: `dont-notify` in one place and `dont_notify` in another, and
 * `set_sound` in its examples. `coalesce` is there as `notify` to who does not know better, and nothing today: so `notify` stands beside it.
 */
export function readActionsV1(actions: readonly PushAction[]): PushAction[] {
  const read = actions.map(readActionV1);
  return read.includes('coalesce') && !read.includes('notify') ? [...read, 'notify'] : read;
}

function readActionV1(action: PushAction): PushAction {
  if (action === 'dont-notify') return 'dont_notify';
  const sound = isJsonObject(action) ? action['set_sound'] : undefined;
  return typeof sound === 'string' ? { set_tweak: 'sound', value: sound } : action;
}
