import { isJsonObject, type JsonObject } from '#kernel/json';
import { tellValue } from '#kernel/tell-value';
import type { People } from './people.js';

const MOST_TOLD = 8;

/** What changed in the power levels, in words: "raised bob from 0 to 50; state_default from 50 to 100". */
export function tellPowerLevels(content: JsonObject, before: JsonObject | undefined, people: People): string {
  if (before === undefined) {
    const users = entriesOf(content['users']).map(([user, level]) => `${people(user)} ${tellValue(level)}`);
    return `set the power levels: ${listed(users.length === 0 ? ['nobody above the default'] : users)}`;
  }
  const changes = [...userChanges(content, before, people), ...levelChanges(content, before)];
  return changes.length === 0 ? 'set the power levels again, changing nothing' : listed(changes);
}

function userChanges(content: JsonObject, before: JsonObject, people: People): string[] {
  const [now, then] = [mapOf(content['users']), mapOf(before['users'])];
  return [...new Set([...then.keys(), ...now.keys()])].flatMap((user) => {
    const level = levelOf(now.get(user) ?? content['users_default']);
    const old = levelOf(then.get(user) ?? before['users_default']);
    if (level === old) return [];
    return [`${level > old ? 'raised' : 'lowered'} ${people(user)} from ${old} to ${level}`];
  });
}

function levelChanges(content: JsonObject, before: JsonObject): string[] {
  const [now, then] = [levelsOf(content), levelsOf(before)];
  return [...new Set([...then.keys(), ...now.keys()])].flatMap((name) => {
    const [level, old] = [now.get(name), then.get(name)];
    if (tellValue(level) === tellValue(old)) return [];
    if (old === undefined) return [`set ${name} to ${tellValue(level)}`];
    return level === undefined
      ? [`removed ${name}`]
      : [`changed ${name} from ${tellValue(old)} to ${tellValue(level)}`];
  });
}

/** Everything but the users, flat: `kick`, `events m.room.name`, `notifications room`. */
function levelsOf(content: JsonObject): Map<string, unknown> {
  const flat = Object.entries(content).flatMap(([name, value]): [string, unknown][] => {
    if (name === 'users') return [];
    return isJsonObject(value) ? entriesOf(value).map(([key, level]) => [`${name} ${key}`, level]) : [[name, value]];
  });
  return new Map(flat);
}

function listed(changes: readonly string[]): string {
  const told = changes.slice(0, MOST_TOLD).join('; ');
  return changes.length > MOST_TOLD ? `${told}; and ${changes.length - MOST_TOLD} more` : told;
}

const entriesOf = (value: unknown): [string, unknown][] => (isJsonObject(value) ? Object.entries(value) : []);
const mapOf = (value: unknown): Map<string, unknown> => new Map(entriesOf(value));
/** Rooms of old versions have levels that are texts. */
const levelOf = (value: unknown): number => (typeof value === 'object' ? 0 : Number(value ?? 0));
