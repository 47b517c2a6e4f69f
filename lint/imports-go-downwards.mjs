import { dirname, join, relative } from 'node:path';

/**
 * The libraries from the bottom up, by layers: each may import those before it in this list and no others, within its layer too.
 * So no two ever need each other; where the lower of two needs something of the upper one, it has an interface for that, named
 * after what it needs, and the upper one implements it (`#rooms/alias-book`).
 */
const LAYERS = [
  ['kernel'],
  ['protocol'],
  ['config', 'event-store', 'read-models', 'projections', 'observability', 'http', 'mail', 'phones'],
  [
    'personal-data',
    'push',
    'accounts',
    'rooms',
    'devices',
    'media',
    'directory',
    'ephemeral',
    'search',
    'sync',
    'identity',
    'contacts',
    'federation',
    'calls',
    'appservices',
    'sso',
    'oauth',
    'admin',
  ],
  ['processes'],
  ['homeserver', 'cli', 'bench'],
];
const ORDER = LAYERS.flat();
const DOMAINS = 3;

/** The folders of a domain that recur, from the bottom up; what stands in others is the domain's own business. */
const PARTS = [
  'facts',
  'decide',
  'receive',
  'graph',
  'audit',
  'worker',
  'projections',
  'joining',
  'reading',
  'queries',
  'commands',
  'doors',
];
/** What no other domain may ask for. */
const PRIVATE_PARTS = new Set(['decide', 'receive', 'graph', 'worker', 'joining', 'doors']);
/** What decides, and takes nothing but values and promises of values. */
const PURE_PARTS = new Set(['facts', 'decide', 'receive']);

const FRAMEWORKS = /^(@nestjs\/|fastify(\/|$)|rxjs(\/|$)|class-validator(\/|$))/;
/**
 * What pure code may ask of Node: nothing that reads, writes, waits or differs from machine to machine, but for `node:module`, which
 * finds libraries that not every system has.
 */
const PURE = new Set(['node:buffer', 'node:crypto', 'node:module', 'node:util']);

const TEST_FILE = /\.(spec|contract)\.ts$|^(libs\/testing|(libs|apps)\/[^/]+\/test)\//;

/** A server of another make that ours speaks to, who vouches for servers, what reads ZIP files, somebody who does all that there is to do, chance, and a port: none of our server’s code. */
const STAND_IN =
  /^#testing\/(kurrentdb-stand-in\/|(test-authority|numbers-from|push-gateway|bucket-server|fake-livekit|read-zip|mail-server|text-gateway|captcha-server|fake-identity-server|identity-client|live-here|free-port|body-of)$)/;
/** Events of other servers, who sends them, a room in memory that receives them, and one that the server's own worker writes. */
const MADE_ROOMS = /^#testing\/(receiving\/|fake-peer$|local-room$)/;

const layerOf = (library) => LAYERS.findIndex((names) => names.includes(library));

/** The library, and where it is one of the recurring ones the folder, of a path from the root. */
function placeOf(path) {
  const [top, name, src, folder] = path.split('/');
  if (top !== 'libs' && top !== 'apps') return { root: top, library: top, part: -1 };
  const part = src === 'src' ? PARTS.indexOf(folder) : -1;
  return { root: `${top}/${name}`, library: name, part, isPure: PURE_PARTS.has(PARTS[part]) };
}

/** Why a file may not import what it names so; undefined where it may. Paths are from the root of the repository. */
function findWhyNot(path, named) {
  const from = placeOf(path);
  const isTest = TEST_FILE.test(path);
  if (named.startsWith('.')) {
    const to = placeOf(join(dirname(path), named));
    if (to.root !== from.root) return elsewhere(from);
    const isUpwards = from.part >= 0 && to.part > from.part && !isTest;
    return isUpwards ? `Within a domain imports go ${PARTS.join(' < ')}.` : undefined;
  }
  const [, library, part] = /^#([^/]+)\/([^/]+)/.exec(named) ?? [];
  if (library === undefined) return isTest ? undefined : findWhyNotForeign(from, named);
  if (STAND_IN.test(named) && ['test', 'bench'].includes(from.library)) return undefined;
  if (MADE_ROOMS.test(named) && from.library === 'bench') return undefined;
  if (from.library === 'test') return elsewhere(from);
  if (isTest) return layerOf(library) > DOMAINS + 1 && path.startsWith('libs/') ? 'Apps are the top.' : undefined;
  if (library === 'testing') return 'For tests only.';
  if (library === from.library) return 'Within a library imports are relative.';
  if (ORDER.indexOf(library) > ORDER.indexOf(from.library)) return `Imports go downwards: ${library} lies above.`;
  const isForeignDomain = layerOf(library) === DOMAINS && layerOf(from.library) <= DOMAINS + 1;
  if (isForeignDomain && PRIVATE_PARTS.has(part)) {
    return 'Domains speak through commands, queries, facts and interfaces.';
  }
  return undefined;
}

function elsewhere({ library }) {
  return library === 'test'
    ? 'End-to-end suites speak HTTP to a started server, and know nothing of its code.'
    : 'Across libraries import by name: #library/file.';
}

function findWhyNotForeign({ library, isPure }, named) {
  const layer = layerOf(library);
  if ((layer > 1 || layer < 0) && isPure !== true) return undefined;
  const who = isPure === true ? 'What decides' : 'Layers 0 and 1';
  if (FRAMEWORKS.test(named)) return `${who}: no framework.`;
  return named.startsWith('node:') && !PURE.has(named) ? `${who}: no I/O.` : undefined;
}

/** Imports go downwards, between libraries and within a domain, however they are written. */
export const importsGoDownwards = {
  create(context) {
    const path = relative(context.cwd, context.filename);
    const check = ({ source }) => {
      if (source?.type !== 'Literal') return;
      const message = findWhyNot(path, String(source.value));
      if (message !== undefined) context.report({ node: source, message });
    };
    return {
      ImportDeclaration: check,
      ImportExpression: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      TSImportType: check,
    };
  },
};

/** A library's files are imported where they are: nothing is handed on from another file of ours. */
export const noBarrel = {
  create(context) {
    const check = ({ source }) => {
      if (source != null && /^[.#]/.test(source.value)) {
        context.report({ node: source, message: 'Import it from where it is: nothing is handed on.' });
      }
    };
    return { ExportNamedDeclaration: check, ExportAllDeclaration: check };
  },
};
