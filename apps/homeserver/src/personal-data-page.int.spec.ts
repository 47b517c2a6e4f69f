import 'reflect-metadata';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CHAPTERS, PersonalData, type PersonalDataKind } from '#personal-data/personal-data';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { WRITE_SIDE } from '#read-models/write-side-collections';
import { WholeServer } from '../test/whole-server.js';
import { listProjectors } from './projectors.js';

/** By the reason, the names of what it holds for. */
type Reasons = Readonly<Record<string, string>>;
const listOf = (names: string): string[] => names.trim().split(/\s+/);

/** Collections of which no kind tells, by the reason why. */
const ROWS_NOT_HANDED_OVER: Reasons = {
  'says of events, in another order, what these say themselves': `
    aggregated annotations edits event-media events expired-up-to redacted-state topology redacted-unseen
    relation-parents relations shown-media sticky-events sticky-refused sticky-rooms thread-asides thread-events
    thread-senders threads threads-log past-threads transactions visibility-changes search-edits search-pages
    search-shelves search-texts search-words`,
  'is of a room, and not of one of its people': `
    members room-members room-counts room-state rooms room-activity state-deletions overtaken behind-refused gaps
    public-rooms network-rooms partial-rooms retention-rooms receipts-log graph-copies graph-current graph-events
    graph-holes graph-learnt graph-lines graph-newest graph-redacted graph-redactions graph-state own-rooms own-stays
    deserted-rooms room-snapshots server-log`,
  'is what this server keeps to tell others, or to hear of them': `
    asked-ends asked-remote-members destinations device-list-moves device-list-places handshakes device-list-rooms
    device-lists-restored device-updates joins-elsewhere key-changes keyed-devices keys-seen last-key-changes
    missed-lists presence-lists-told room-servers-changed server-keys identity-feed identity-feed-places`,
  'is of people of other servers, and of what they uploaded': 'remote-devices cached-media',
  'is by what somebody is found, made of what is handed over': 'named-users user-words media-content',
  'is on its way: what others sent to a device, encrypted for it, until the device has collected it': `
    inbox outstanding`,
  'is what operators, or this server, decide for themselves': `
    quarantined-content registration-tokens retention-rules unshown-media identity-pepper inbox-log deserted-own-name
    media-own-name own-server-name stream-snapshots last-erasure views-renewal digests due-digests`,
};

/** The same of the types of facts. */
const FACTS_NOT_HANDED_OVER: Reasons = {
  'is a secret, as a hash, or where one was used': `
    login-token-issued login-token-used tokens-confirmed tokens-refreshed identity-token-issued identity-token-ended
    access-granted grant-used key-reset-allowed key-reset-used`,
  'is an authentication that is under way, sealed with what others hold': `
    auth-note-kept auth-note-ended auth-notes-over`,
  'is of a room, and not of one of its people': `
    change-told pdu-soft-failed pdu-rejected soft-failure-lifted state-learnt join-begun join-completed join-filled
    join-given-up room-listed room-upgraded room-purged network-room-listed purge-ordered purge-begun purge-ended
    room-held room-released`,
  'is on its way to devices, encrypted for them': `
    to-device-sent to-device-collected to-device-expired to-device-crowded-out`,
  'is up to where a connection of a device has what is new': `
    sliding-told sliding-summed-up sliding-closed`,
  'is what became of a medium, which its row tells': `
    media-expired media-fetched media-seen media-dropped media-deleted media-unshown media-kept`,
  'is that somebody is to be erased, of whom there is nothing to be handed over then': `
    erasure-ordered erasure-begun erasure-ended account-erased`,
  'is of people of other servers': `
    remote-devices-listed remote-device-updated remote-signing-keys-updated remote-devices-missed`,
  'is what this server keeps to speak to others': `
    destination-behind destination-caught-up pdu-queued pdu-settled transaction-received refused server-keys-told
    service-transaction service-followed peer-followed`,
  'is what operators, or this server, decide for themselves': `
    log-begun log-restored signing-key-accepted content-quarantined content-released pepper-set
    registration-token-created registration-token-changed registration-token-used retention-ruled
    registration-token-returned registration-token-revoked first-registration-token-issued effects-begun effects-taken
    effects-asked effects-held effects-released effects-passed effect-given-up effect-retried effect-settled
    effects-summary clock-read removals-forgotten clock-accepted`,
};

let server: WholeServer;
let kinds: readonly PersonalDataKind[];

beforeAll(async () => {
  server = await WholeServer.start();
  kinds = server.get(PersonalData).all;
});
afterAll(() => server.close());

const COLLECTIONS = [...listProjectors().flatMap(({ collections }) => collections), ...Object.keys(WRITE_SIDE)];

/** What stands in neither list, in both, or in one though there is no such thing. */
function unsettled(all: readonly string[], told: readonly string[], reasons: Reasons): object {
  const not = Object.values(reasons).flatMap(listOf);
  return {
    neither: all.filter((one) => !told.includes(one) && !not.includes(one)),
    both: not.filter((one) => told.includes(one)),
    twice: not.filter((one, i) => not.indexOf(one) !== i),
    unknown: [...told, ...not].filter((one) => !all.includes(one)),
  };
}
const SETTLED = { neither: [], both: [], twice: [], unknown: [] };

it('of every collection it is said in which kind people are handed it, or why not', () => {
  const told = kinds.flatMap(({ covers }) => covers.collections.map(({ name }) => name));
  expect(unsettled(COLLECTIONS, told, ROWS_NOT_HANDED_OVER)).toEqual(SETTLED);
});

it('so it is of every type of fact', () => {
  const told = kinds.flatMap(({ covers }) => covers.facts);
  expect(unsettled(Object.keys(FACT_SHAPES), told, FACTS_NOT_HANDED_OVER)).toEqual(SETTLED);
});

/** `npx vitest run apps/homeserver/src/personal-data-page.int.spec.ts -u` writes the page anew. */
it('docs/personal-data.md has all of it', async () => {
  const named = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');
  const rows = kinds.map(
    ({ name, chapter, about, covers }) =>
      `| \`${name}\` | ${CHAPTERS[chapter]} | ${about} | ${named(covers.collections.map((one) => one.name))} |`,
  );
  const reasons = (all: Reasons): string =>
    Object.entries(all)
      .map(([reason, names]) => `| ${reason} | ${named(listOf(names).toSorted())} |`)
      .join('\n');
  await expect(`${HEAD}
| kind | chapter | what it is | rows that say it |
| --- | --- | --- | --- |
${rows.join('\n')}

## What is not handed over

Rows of the views:

| because it | rows |
| --- | --- |
${reasons(ROWS_NOT_HANDED_OVER)}

Facts of the log:

| because it | facts |
| --- | --- |
${reasons(FACTS_NOT_HANDED_OVER)}
`).toMatchFileSnapshot('../../../docs/personal-data.md');
});

const HEAD = `# What this server has of people

People are handed all of it: by the account page (\`/_annals/account/data\`, where \`ANNALS_OAUTH\` is \`on\`) as one ZIP file, without asking an operator,
or by the operator with \`annals users export\` as a folder. Both have the same files:

\`\`\`
index.html                 where to begin: all kinds, and the rooms by their names. No page runs a script or asks anything of a network
export.json                the manifest: all kinds, with the files of each
json/KIND-0001.json        the records of a kind, for programs; a piece has some 2 MB
pages/KIND.html            the same to read; KIND-2.html and so on where that is long
rooms/events-00001.html    what somebody wrote in one room
files/000001-NAME          what they uploaded, as they called it as far as file systems take that; .bin behind what a browser may run (.html, .svg), and what has no ending
\`\`\`

The manifest says of itself \`"format": "dev.annals.personal-data"\`, \`"version": 1\`, and of whom it is (\`user_id\`), of which server (\`server_name\`) and when
it was made (\`made_ts\`; all keys that end in \`_ts\` are milliseconds since the epoch). In \`kinds\` each has \`name\`, \`chapter\`, \`title\`, \`about\`, how many
\`records\` and \`files\` there are, its \`pieces\` (\`path\`, \`records\`, \`bytes\`), \`pages\` (paths), and \`rooms\` where it is shown by these (\`room_id\`, \`name\`, \`records\`,
\`pages\`). A kind without records has no files. A piece is \`{"kind": …, "piece": 1, "records": [ … ]}\`, a record to a line.

What a record says depends on its kind. \`events\` are as the client-server API has them, with \`room_id\`; what became of one stands in \`unsigned\`: \`redacted_by\`
and \`hidden_by\` are ids of events. Records of \`media\` name their \`file\`, null where its content is not here any more. What is encrypted is as devices
encrypted it. Everything is as it stands in the views at that time, a little of it later than the rest where it changes meanwhile; the same views give the
same files.

Nothing in it is another person's alone: no messages of others, nothing that they keep private. Nothing is a secret by which anybody could act for the person.

Each domain adds its kinds to \`PersonalData\` (\`libs/personal-data\`), and \`apps/homeserver/src/personal-data-page.int.spec.ts\`, which writes this page,
fails where a collection or a fact is in neither of these tables.

## What is handed over
`;
