import { createRequire } from 'node:module';
import { isUserId, type ServerName } from '#kernel/ids';
import { isWebAddress } from '#kernel/is-web-address';
import { messageOf } from '#kernel/message-of';
import { type AppService, createAppService, type Namespace } from './app-service.js';

/** What is wrong with a registration file, a line for each fault. None of them holds a token. */
export class RegistrationFaults extends Error {
  constructor(readonly faults: readonly string[]) {
    super(faults.join('; '));
    this.name = 'RegistrationFaults';
  }
}

type Mapping = Readonly<Record<string, unknown>>;

/** `receive_ephemeral`, and as it was called before. */
const EPHEMERAL_KEYS = ['receive_ephemeral', 'push_ephemeral', 'de.sorunome.msc2409.push_ephemeral'] as const;
/** A token goes into a header as it is. */
const TOKEN = /^[\x21-\x7e]+$/;
const LOCALPART = /^[a-z0-9._=/+-]+$/;

/**
 * Reads the text (YAML, of which JSON is a part) of a registration file. Keys that are not known are let be: bridges write some of their
 * own. Throws RegistrationFaults.
 */
export function readRegistration(text: string, serverName: ServerName): AppService {
  const file = parse(text);
  const faults: string[] = [];
  const fault = (key: string, words: string): undefined => {
    faults.push(`${key}: ${words}`);
  };
  const take = <T>(key: string, words: string, is: (value: unknown) => value is T, absent?: T): T | undefined => {
    const value = file[key];
    if (value === undefined && absent !== undefined) return absent;
    return is(value) ? value : fault(key, value === undefined ? `required: ${words}` : `must be ${words}`);
  };
  const id = take('id', 'a text of 1 to 255 bytes', isId);
  const asToken = take('as_token', 'a text of printable ASCII without spaces', isToken);
  const hsToken = take('hs_token', 'a text of printable ASCII without spaces', isToken);
  const localpart = take('sender_localpart', 'a localpart of a-z, 0-9 and ._=/+-', isLocalpart);
  const url = take('url', 'an http or https URL, or null', isUrl);
  const isRateLimited = take('rate_limited', 'true or false', isBoolean, true);
  const ephemeral = EPHEMERAL_KEYS.map((key) => take(key, 'true or false', isBoolean, false));
  const receivesDevices = take('org.matrix.msc3202', 'true or false', isBoolean, false);
  const protocols = take('protocols', 'a list of texts', areTexts, []);
  const namespaces = take('namespaces', 'a mapping', isMapping) ?? {};
  const within = (key: string): Namespace[] => readNamespaces(namespaces[key], `namespaces.${key}`, fault);
  const read = { users: within('users'), aliases: within('aliases'), rooms: within('rooms') };
  const sender = `@${localpart ?? 'a'}:${serverName}`;
  if (!isUserId(sender)) fault('sender_localpart', 'must be shorter');
  if (faults.length > 0) throw new RegistrationFaults(faults);
  const parts = { id: id!, url: url?.replace(/\/+$/, '') || undefined, namespaces: read, protocols: protocols! };
  return createAppService(
    {
      ...parts,
      sender: sender as AppService['sender'],
      isRateLimited: isRateLimited!,
      receivesEphemeral: ephemeral.includes(true),
      receivesDevices: receivesDevices!,
    },
    { asToken: asToken!, hsToken: hsToken! },
  );
}

function parse(text: string): Mapping {
  // Loaded only where there is a file to read.
  const { parseDocument } = createRequire(import.meta.url)('yaml') as typeof import('yaml');
  const document = parseDocument(text, { prettyErrors: false });
  // Neither the text nor a piece of it is told: it has tokens.
  const [problem] = document.errors;
  if (problem !== undefined)
    throw new RegistrationFaults([`not YAML (${problem.code}, at character ${problem.pos[0]})`]);
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    throw new RegistrationFaults([messageOf(error)]);
  }
  if (!isMapping(value)) throw new RegistrationFaults(['not a mapping']);
  return value;
}

function readNamespaces(value: unknown, name: string, fault: (key: string, words: string) => void): Namespace[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    fault(name, 'must be a list');
    return [];
  }
  return value.flatMap((item: unknown, i) => {
    const key = `${name}[${i}]`;
    if (!isMapping(item)) return fault(key, 'must be a mapping') ?? [];
    const { regex, exclusive } = item;
    if (!isBoolean(exclusive)) fault(`${key}.exclusive`, 'must be true or false');
    const pattern = typeof regex === 'string' ? compile(regex) : undefined;
    if (pattern === undefined) fault(`${key}.regex`, 'must be a regular expression');
    return pattern === undefined ? [] : [{ exclusive: exclusive === true, pattern }];
  });
}

/**
 * NOTSPEC: "a POSIX regular expression" does not say whether all of an id has to match. Registrations are written for servers that match
 * from the beginning of the id, and not up to its end.
 */
function compile(regex: string): RegExp | undefined {
  for (const flags of ['u', '']) {
    try {
      return new RegExp(`^(?:${regex})`, flags);
    } catch {
      // What is escaped though it need not be is no fault in the older form.
    }
  }
  return undefined;
}

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
const isId = (value: unknown): value is string =>
  typeof value === 'string' && value.trim() !== '' && Buffer.byteLength(value) <= 255;
const isToken = (value: unknown): value is string => typeof value === 'string' && TOKEN.test(value);
const isLocalpart = (value: unknown): value is string => typeof value === 'string' && LOCALPART.test(value);
const areTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');
const isUrl = (value: unknown): value is string | null =>
  value === null || value === '' || (typeof value === 'string' && isWebAddress(value));
