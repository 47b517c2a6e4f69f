import { PEOPLE_SECRETS, PeopleSettings } from './people-settings.js';
import { SERVER_SECRETS, ServerSettings } from './server-settings.js';

/** Every setting there is, as it is written. */
export type Settings = ServerSettings & PeopleSettings;

/** One of each class, with the defaults: what is validated. */
export function emptySettings(): readonly (ServerSettings | PeopleSettings)[] {
  return [new ServerSettings(), new PeopleSettings()];
}

/** Settings whose values never appear in a message or a log line. */
export const SECRET_SETTINGS: ReadonlySet<string> = new Set([...SERVER_SECRETS, ...PEOPLE_SECRETS]);
