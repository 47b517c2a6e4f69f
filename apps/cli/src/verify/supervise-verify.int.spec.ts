import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { constants, getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sealFacts } from '#event-store/seal-facts';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { START } from '#kernel/position';
import { encodeBase64 } from '#protocol/signing/base64';
import { BOB, LocalRoom, TEST_AUTHOR } from '#testing/local-room';
import { bundleScript, type BundledScript } from '#testing/start-script';
import type { LogFinding } from './finding.js';
import { PLACE_DESCRIPTOR } from './messages.js';
import { superviseVerify, type Verification } from './supervise-verify.js';
import { verifyInParts } from './verify-in-parts.js';

const { serverName, signingKey } = TEST_AUTHOR;
const keys = [{ server: serverName, keyId: signingKey.keyId, key: encodeBase64(signingKey.publicKey) }];

const folder = mkdtempSync(join(tmpdir(), 'annals-verify-spec-'));
const original = join(folder, 'log');
let program: BundledScript;
let streams = 0;
let facts = 0;
/** The ids of the users' facts, as a record has them. */
const ids: Buffer[] = [];
/** What comes before the id in a record: see fact-record.ts. */
const BEFORE_ID = 29;

beforeAll(async () => {
  program = await bundleScript('apps/cli/src/verify/verify-process.ts');
  const store = await openLmdbEventStore(original);
  for (let user = 0; user < 20; user++) {
    const draft = {
      type: 'profile-changed',
      data: `{"key":"displayname","value":"user ${user}"}`,
      at: 1,
      actor: 'server',
    };
    const id = randomUUID();
    ids.push(Buffer.from(id.replaceAll('-', ''), 'hex'));
    await store.append(`user-@u${user}:a.example`, 'no-stream', sealFacts(undefined, [{ ...draft, id }]));
  }
  for (let i = 0; i < 3; i++) {
    const room = await LocalRoom.begin(store, '11', `room${i}`);
    await room.setState('m.room.join_rules', { join_rule: 'public' });
    await room.setMembership(BOB, 'join');
    await Promise.all(Array.from({ length: 40 }, (_, j) => room.say(`message ${j} of room ${i}`)));
    await room.say(`the needle of room ${i}`);
    // Longer than a page: LMDB keeps it apart.
    await room.say('long '.repeat(2000));
  }
  for await (const _ of store.streams()) streams++;
  facts = Number(await store.head());
  await store.close();
});

afterAll(async () => {
  await program.remove();
  rmSync(folder, { recursive: true });
});

async function verify(directory: string, by = program.path): Promise<Verification & { all: LogFinding[] }> {
  const all: LogFinding[] = [];
  const verification = await superviseVerify({
    task: { log: { directory }, keys },
    onFinding: (finding) => all.push(finding),
    onProgress: () => {},
    program: by,
    stuckAfterMs: 10_000,
  });
  return { ...verification, all };
}

/** A copy of the log whose data file is changed. */
function damaged(change: (bytes: Buffer) => void): string {
  const copy = join(folder, randomUUID());
  mkdirSync(copy);
  const bytes = readFileSync(join(original, 'data.mdb'));
  change(bytes);
  writeFileSync(join(copy, 'data.mdb'), bytes);
  return copy;
}

/** A hash of every fact in the order of the log. */
async function digestOf(directory: string): Promise<string> {
  const store = await openLmdbEventStore(directory, { readOnly: true });
  const digest = createHash('sha256');
  for await (const batch of store.readAll({ after: START }))
    for (const fact of batch) digest.update(JSON.stringify(fact));
  await store.close();
  return digest.digest('hex');
}

describe('a log on disk', () => {
  test('that is as it was written has no findings', async () => {
    const { findings, log, unverifiable } = await verify(original);
    expect(findings).toBe(0);
    expect(log).toMatchObject({ streams, rooms: 3, facts });
    expect(unverifiable).toEqual({});
  });

  test('is verified by several processes with the same result', async () => {
    const copy = damaged((bytes) => {
      for (let at = bytes.indexOf('the needle of'); at >= 0; at = bytes.indexOf('the needle of')) bytes[at] = 0x54;
    });
    const alone = await verify(copy);
    const all: LogFinding[] = [];
    const options = { task: { log: { directory: copy }, keys }, onProgress: () => {}, program: program.path };
    const together = await verifyInParts({ ...options, onFinding: (finding) => all.push(finding) }, 3);
    expect(together).toMatchObject({ findings: alone.findings, log: alone.log });
    const inOrder = (findings: LogFinding[]): string[] => findings.map((finding) => JSON.stringify(finding)).sort();
    expect(inOrder(all)).toEqual(inOrder(alone.all));
    expect(new Set(all.map(({ stream }) => stream)).size).toBe(3);
  });

  test('tells once what every process finds', async () => {
    const copy = damaged((bytes) => bytes.fill(0, 0, 8192));
    const all: LogFinding[] = [];
    const options = { task: { log: { directory: copy }, keys }, onProgress: () => {}, program: program.path };
    const { findings } = await verifyInParts({ ...options, onFinding: (finding) => all.push(finding) }, 3);
    expect(all).toHaveLength(1);
    expect(findings).toBe(1);
  });

  test.each([0, 1, 2])('with one byte of a fact changed names its stream and revision (room %i)', async (i) => {
    const copy = damaged((bytes) => {
      const at = bytes.indexOf(`the needle of room ${i}`);
      bytes[at] = 'T'.charCodeAt(0);
      // LMDB may have left an old copy of the page behind: every one of them is changed.
      for (let next = at; next >= 0; next = bytes.indexOf(`the needle of room ${i}`)) bytes[next] = 'T'.charCodeAt(0);
    });
    const { all, log } = await verify(copy);
    expect(log).toMatchObject({ facts });
    // Create, join, join rules, Bob's join and forty messages come before it.
    const place = { stream: `room-!room${i}:a.example`, revision: 44 };
    expect(all).toContainEqual({ ...place, problem: expect.stringContaining('the chain does not hold') });
    expect(all).toContainEqual({ ...place, problem: expect.stringContaining('the content hash does not match') });
    expect(all.every((finding) => finding.stream === place.stream && finding.revision === 44)).toBe(true);
  });

  test('with a record that can no longer be decoded names it too, and goes on behind it', async () => {
    const copy = damaged((bytes) => {
      // The pages that were written before have it too.
      for (let at = bytes.indexOf(ids[7]!); at >= 0; at = bytes.indexOf(ids[7]!, at + 1)) bytes[at - BEFORE_ID] = 0;
    });
    const { all, log } = await verify(copy);
    expect(log).toMatchObject({ facts });
    expect(all).toContainEqual({
      stream: 'user-@u7:a.example',
      revision: 0,
      problem: expect.stringContaining('cannot be read'),
    });
  });

  test('with any byte changed is either found out or untouched in what it says; no change hangs or kills us', async () => {
    const size = readFileSync(join(original, 'data.mdb')).length;
    let seed = 20_261_121;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
      return seed % below;
    };
    let found = 0;
    for (let round = 0; round < 12; round++) {
      const copy = damaged((bytes) => {
        for (let flip = 0; flip < 1 + round * 3; flip++) bytes[random(size)]! ^= 1 + random(255);
      });
      const { findings, failure, log } = await verify(copy);
      expect(failure).toBeUndefined();
      if (findings > 0) found++;
      else {
        expect(log).toMatchObject({ streams, facts });
        expect(await digestOf(copy)).toBe(await digestOf(original));
      }
      rmSync(copy, { recursive: true });
    }
    expect(found).toBeGreaterThan(6);
  }, 120_000);

  test('whose beginning is destroyed cannot be opened, and that is a finding', async () => {
    const { all, failure } = await verify(damaged((bytes) => bytes.fill(0, 0, 8192)));
    expect(failure).toBeUndefined();
    expect(all).toEqual([{ problem: expect.stringMatching(/open/) }]);
  });

  test('that is cut short is found out', async () => {
    const copy = join(folder, 'short');
    mkdirSync(copy);
    copyFileSync(join(original, 'data.mdb'), join(copy, 'data.mdb'));
    const bytes = readFileSync(join(copy, 'data.mdb'));
    writeFileSync(join(copy, 'data.mdb'), bytes.subarray(0, bytes.length / 2));
    const { findings, failure } = await verify(copy);
    expect(failure).toBeUndefined();
    expect(findings).toBeGreaterThan(0);
  });
});

test.runIf(process.platform === 'linux')(
  'those who are served go first, but for the moment in which it is opened',
  async () => {
    const directory = damaged(() => {});
    const whileOpened: number[] = [];
    const writer = createServer((socket) =>
      socket.on('data', (word) => {
        const [, pid] = readdirSync(directory)
          .join(' ')
          .match(/opener-(\d+)/)!;
        whileOpened.push(getPriority(Number(pid)));
        socket.write(word);
      }),
    );
    writer.listen(join(directory, 'writer-1-0a.sock'));
    await once(writer, 'listening');
    const atEnd = join(folder, 'priorities');
    const path = join(folder, 'priorities.mjs');
    writeFileSync(
      path,
      `import { readdirSync, writeFileSync } from 'node:fs';
     import { getPriority } from 'node:os';
     import ${JSON.stringify(program.path)};
     const ofThreads = () => readdirSync('/proc/self/task').map((thread) => getPriority(Number(thread)));
     process.once('exit', () => writeFileSync(${JSON.stringify(atEnd)}, JSON.stringify(ofThreads())));`,
    );
    const { findings, log } = await verify(directory, path);
    writer.close();
    expect([findings, log]).toEqual([0, expect.objectContaining({ facts })]);
    expect(whileOpened).toEqual([getPriority(), getPriority()]);
    expect(new Set(JSON.parse(readFileSync(atEnd, 'utf8')))).toEqual(
      new Set([constants.priority.PRIORITY_BELOW_NORMAL]),
    );
  },
);

test('parts that do not add up are followed by a search for what is missing', async () => {
  const path = join(folder, 'adding.mjs');
  writeFileSync(
    path,
    `process.once('message', ({ part, compare }) => {
       const head = '0000000000000000009';
       process.send({ kind: 'head', head, facts: 9 });
       if (compare) process.send({ kind: 'finding', finding: { problem: compare.facts + ' of ' + compare.ordered } });
       const ordered = part?.index === 0 ? 9 : undefined;
       const log = { head, streams: 1, rooms: 0, facts: 4, ordered, isComplete: true };
       process.send({ kind: 'done', log, unverifiable: { 'b.example': 1 } }, () => process.exit());
     });`,
  );
  const all: LogFinding[] = [];
  const options = { task: { log: { directory: original }, keys }, onProgress: () => {}, program: path };
  const verification = await verifyInParts({ ...options, onFinding: (finding) => all.push(finding) }, 2);
  expect(all).toEqual([{ problem: '8 of 9' }]);
  expect(verification).toMatchObject({ findings: 1, log: { facts: 8, streams: 2 }, unverifiable: { 'b.example': 2 } });
});

describe('a reader that dies', () => {
  /** A program that keeps its place and then does `end` at one stream, unless it is told to leave that out. */
  function dyingProgram(name: string, end: string): string {
    const path = join(folder, `${name}.mjs`);
    writeFileSync(
      path,
      `import { writeSync } from 'node:fs';
       const place = (at) => writeSync(${PLACE_DESCRIPTOR}, JSON.stringify(at) + '\\n', 0);
       process.once('message', ({ resume }) => {
         process.send({ kind: 'finding', finding: { stream: 'a', revision: 0, problem: 'found before' } });
         process.send({ kind: 'checkpoint' });
         if (resume?.how !== 'leave-out') {
           place({ phase: 'stream', stream: 'b', revision: resume === undefined ? 0 : 7 });
           process.send({ kind: 'finding', finding: { stream: 'b', revision: 3, problem: 'found on the way' } }, () => { ${end} });
           return;
         }
         const log = { head: '0000000000000000009', streams: 2, rooms: 0, facts: 9 };
         process.send({ kind: 'done', log, unverifiable: {} }, () => process.exit());
       });`,
    );
    return path;
  }

  test('is started again, names the fact that kills it, and leaves the stream out', async () => {
    const { all, log } = await verify(original, dyingProgram('crash', "process.kill(process.pid, 'SIGSEGV')"));
    expect(all.filter(({ stream }) => stream === 'b')).toEqual([
      { stream: 'b', revision: 3, problem: 'found on the way' },
      { stream: 'b', revision: 7, problem: expect.stringContaining('crashed the reader (SIGSEGV)') },
    ]);
    expect(log).toBeDefined();
  });

  test('by the keys of other servers goes on without them, from then on', async () => {
    const path = join(folder, 'keys.mjs');
    writeFileSync(
      path,
      `import { writeSync } from 'node:fs';
       const place = (at) => writeSync(${PLACE_DESCRIPTOR}, JSON.stringify(at) + '\\n', 0);
       const end = () => process.kill(process.pid, 'SIGSEGV');
       process.once('message', ({ resume }) => {
         if (resume?.withoutKeys !== true) return place({ phase: 'keys' }), end();
         if (resume.how === undefined) return place({ phase: 'stream', stream: 'b', revision: 0 }), end();
         const log = { head: '0000000000000000009', streams: 2, rooms: 0, facts: 9 };
         process.send({ kind: 'done', log, unverifiable: { 'b.example': 3 } }, () => process.exit());
       });`,
    );
    const { all, log, unverifiable } = await verify(original, path);
    expect([all, log, unverifiable]).toEqual([[], expect.objectContaining({ facts: 9 }), { 'b.example': 3 }]);
  });

  test('is ended where it never comes back', async () => {
    const all: LogFinding[] = [];
    await superviseVerify({
      task: { log: { directory: original }, keys },
      onFinding: (finding) => all.push(finding),
      onProgress: () => {},
      program: dyingProgram('stuck', 'for (;;);'),
      stuckAfterMs: 4_000,
    });
    expect(all).toContainEqual({ stream: 'b', revision: 7, problem: expect.stringContaining('never came back') });
  });

  test('that never began says nothing about the log', async () => {
    const path = join(folder, 'broken.mjs');
    writeFileSync(path, 'this is no program');
    const { all, failure } = await verify(original, path);
    expect(all).toEqual([]);
    expect(failure).toContain('did not start');
  });
});
