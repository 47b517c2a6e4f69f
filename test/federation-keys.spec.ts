import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { annals } from './support/annals.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import type { OtherServer } from './support/federation/other-server.js';
import { DENDRITE, startDendrite } from './support/federation/dendrite.js';
import { startSynapse, SYNAPSE } from './support/federation/synapse.js';
import type { Spoken } from './support/homeserver.js';

/** What a server publishes of its keys, as far as these tests look at it. */
interface KeyDocument {
  readonly server_name: string;
  readonly verify_keys: Readonly<Record<string, { readonly key: string }>>;
  readonly old_verify_keys: Readonly<Record<string, { readonly key: string; readonly expired_ts: number }>>;
  readonly signatures: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const authority = new TestAuthority();
let ours: FederatingAnnals;
let other: FederatingAnnals;

beforeAll(async () => {
  ours = await FederatingAnnals.begin(authority);
  other = await FederatingAnnals.begin(authority);
});
afterAll(async () => {
  await ours.remove();
  await other.remove();
});

async function publishedBy(server: Spoken): Promise<KeyDocument> {
  return (await server.request('GET', '/_matrix/key/v2/server')).body as KeyDocument;
}

/** What a notary answers for a server: for a key of it, or whatever it has. */
async function asked(notary: Spoken, server: string, keyId?: string): Promise<readonly KeyDocument[]> {
  const wanted = keyId === undefined ? {} : { [keyId]: { minimum_valid_until_ts: Date.now() } };
  const body = { server_keys: { [server]: wanted } };
  const answer = await notary.request('POST', '/_matrix/key/v2/query', { body });
  expect(answer.status).toBe(200);
  return answer.body.server_keys as readonly KeyDocument[];
}

const idsOf = (keys: object): string[] => Object.keys(keys).toSorted();

describe('a server whose key is changed', () => {
  it('signs with the new one, tells others until when it signed with the old one, and its log holds', async () => {
    const user = await other.register('alice');
    const create = () => user.ok('POST', '/createRoom', {});
    await create();
    const before = await publishedBy(other);
    await other.end();
    const { code, output } = await annals(other, 'keys', 'rotate');
    expect([code, output]).toEqual([0, expect.stringContaining('stays good for what it has signed')]);
    await other.start();
    await create();
    const after = await publishedBy(other);
    expect(idsOf(after.verify_keys)).not.toEqual(idsOf(before.verify_keys));
    const [[oldId, { key }]] = Object.entries(before.verify_keys) as [[string, { key: string }]];
    expect(after.old_verify_keys).toEqual({ [oldId]: { key, expired_ts: expect.any(Number) as number } });
    expect(await annals(other, 'verify')).toMatchObject({ code: 0 });
  });
});

describe('a notary of ours', () => {
  it('answers for a server that is gone what it published last, also after it was started again', async () => {
    const document = await publishedBy(other);
    const fresh = await asked(ours, other.name);
    await other.end('SIGKILL');
    await ours.end();
    await ours.start();
    const later = await asked(ours, other.name);
    for (const [told, ...more] of [fresh, later]) {
      expect(more).toEqual([]);
      expect(told).toMatchObject({ verify_keys: document.verify_keys, old_verify_keys: document.old_verify_keys });
      expect(idsOf(told!.signatures)).toEqual([ours.name, other.name].toSorted());
    }
    expect(await annals(ours, 'verify')).toMatchObject({ code: 0 });
    await other.start();
  });
});

describe.each([
  ['Synapse', SYNAPSE, startSynapse],
  ['Dendrite', DENDRITE, startDendrite],
] as const)('with %s', (name, program, start) => {
  if (program === undefined) return it.skip('nothing is tried: it is not installed', () => {});
  let theirs: OtherServer;
  beforeAll(async () => void (theirs = await start(authority)));
  afterAll(() => theirs?.remove());

  // Dendrite is a notary only where it is asked by its name, and tests ask by its address.
  it.skipIf(name === 'Dendrite')('our keys are believed, the old ones too, and passed on', async () => {
    const document = await publishedBy(other);
    const [keyId = ''] = idsOf(document.verify_keys);
    const [told, ...more] = await asked(theirs, other.name, keyId);
    expect(more).toEqual([]);
    expect(told).toMatchObject({ verify_keys: document.verify_keys, old_verify_keys: document.old_verify_keys });
  });

  it('its keys are believed, and answered for once it is gone', async () => {
    const document = await publishedBy(theirs);
    const [keyId = ''] = idsOf(document.verify_keys);
    const [fresh] = await asked(ours, theirs.name, keyId);
    await theirs.end();
    const [later] = await asked(ours, theirs.name, keyId);
    for (const told of [fresh, later]) expect(told?.verify_keys).toEqual(document.verify_keys);
    await theirs.start();
  });
});
