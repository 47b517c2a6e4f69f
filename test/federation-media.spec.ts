import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DENDRITE, startDendrite } from './support/federation/dendrite.js';
import type { Member } from './support/federation/member.js';
import { BOTH, type Peer, Shared } from './support/federation/shared.js';
import { startSynapse, SYNAPSE } from './support/federation/synapse.js';

const DOWNLOAD = '/_matrix/client/v1/media/download';
/** More than comes in one piece. */
const BYTES = 3_000_000;

interface MediaPeer extends Peer {
  /** Whether it knows media that are created before they are uploaded. */
  readonly reserves: boolean;
  /** Whether it tells other servers what files are called, and reads that. */
  readonly tellsNames: boolean;
}

const VERSIONS: readonly string[] = [];
const ofSynapse = { name: 'Synapse', start: startSynapse, isThere: SYNAPSE !== undefined, versions: VERSIONS };
const ofDendrite = { name: 'Dendrite', start: startDendrite, isThere: DENDRITE !== undefined, versions: VERSIONS };
const PEERS: readonly MediaPeer[] = [
  { ...ofSynapse, reserves: true, tellsNames: true },
  { ...ofDendrite, reserves: false, tellsNames: false },
];

interface Given {
  readonly status: number;
  readonly headers: Headers;
  readonly content: Buffer;
}

/** `mxc://example.org/abc` → `example.org/abc`. */
const idOf = (uri: string): string => uri.slice('mxc://'.length);
const errcodeOf = ({ content }: Given): string => (JSON.parse(content.toString()) as { errcode: string }).errcode;

async function request(by: Member, path: string, options: RequestInit = {}): Promise<Given> {
  const headers = { ...(options.headers as Record<string, string>), authorization: `Bearer ${by.token}` };
  const answer = await fetch(`${by.server.base}${path}`, { ...options, headers });
  return { status: answer.status, headers: answer.headers, content: Buffer.from(await answer.arrayBuffer()) };
}

const get = (by: Member, uri: string, query = ''): Promise<Given> => request(by, `${DOWNLOAD}/${idOf(uri)}${query}`);

async function upload(by: Member, content: Buffer, name: string, type: string): Promise<string> {
  const query = `filename=${encodeURIComponent(name)}`;
  const sent = { method: 'POST', body: new Uint8Array(content), headers: { 'content-type': type } };
  const answer = await request(by, `/_matrix/media/v3/upload?${query}`, sent);
  if (answer.status !== 200) throw new Error(answer.content.toString());
  return (JSON.parse(answer.content.toString()) as { content_uri: string }).content_uri;
}

describe.each(PEERS)('media between a server of ours and $name', (peer) => {
  describe.skipIf(!peer.isThere)('that is there', () => {
    const shared = new Shared(peer);
    beforeAll(() => shared.start());
    afterAll(() => shared.end());

    it.each(BOTH)('are the same to the byte, with their type and name, uploaded on %s', async (where) => {
      const { maker, comer } = shared.pair(where);
      const content = randomBytes(BYTES);
      const uri = await upload(maker, content, 'a rock.png', 'image/png');
      const { status, headers, content: given } = await get(comer, uri);
      expect([status, given.equals(content), headers.get('content-type')]).toEqual([200, true, 'image/png']);
      if (peer.tellsNames) expect(headers.get('content-disposition')).toMatch(/rock/);
    });

    it.each(BOTH)(
      'keep a name of any letters, and are given as files where a browser could run them, uploaded on %s',
      async (where) => {
        const { maker, comer } = shared.pair(where);
        const uri = await upload(maker, Buffer.from('<script>'), 'März.html', 'text/html');
        const { headers, content } = await get(comer, uri);
        expect(content.toString()).toBe('<script>');
        const name = peer.tellsNames ? "; ?filename\\*=utf-8''M%C3%A4rz.html" : '';
        expect(headers.get('content-disposition')).toMatch(new RegExp(`^attachment${name}$`, 'i'));
      },
    );

    it.each(BOTH)('are not there where they are not there, asked for on the other side than %s', async (where) => {
      const { maker, comer } = shared.pair(where);
      const answer = await get(comer, `mxc://${maker.server.name}/nothingOfThatName`);
      expect([answer.status, errcodeOf(answer)]).toEqual([404, 'M_NOT_FOUND']);
    });

    it.skipIf(!peer.reserves).each(BOTH)('are waited for until they are uploaded, on %s', async (where) => {
      const { maker, comer } = shared.pair(where);
      const created = await request(maker, '/_matrix/media/v1/create', { method: 'POST' });
      const { content_uri: uri } = JSON.parse(created.content.toString()) as { content_uri: string };
      // Synapse takes what it is answered then for an outage, and asks nothing more of that server for a while.
      if (where === 'their side') {
        const early = await get(comer, uri, '?timeout_ms=10');
        expect([early.status, errcodeOf(early)]).toEqual([504, 'M_NOT_YET_UPLOADED']);
      }
      const waiting = get(comer, uri, '?timeout_ms=20000');
      await request(maker, `/_matrix/media/v3/upload/${idOf(uri)}`, { method: 'PUT', body: 'at last' });
      expect((await waiting).content.toString()).toBe('at last');
    });

    it('go on being given here while their server is away', async () => {
      const { alice, bob } = shared;
      const uri = await upload(bob, Buffer.from('kept here'), 'x.txt', 'text/plain');
      expect((await get(alice, uri)).status).toBe(200);
      await shared.other.end();
      expect((await get(alice, uri)).content.toString()).toBe('kept here');
      await shared.other.restart();
    });
  });
});
