import { Readable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { readZip } from '#testing/read-zip';
import { turnsOf } from '#testing/turns-of';
import { type ExportFile, fileOfText, nameOfFile } from './files/export-file.js';
import { exportFiles } from './files/export-files.js';
import { HandOver } from './hand-over.js';
import { inTime } from './in-time.js';
import { PersonalData, type PersonalDataKind, type PersonalRecord } from './personal-data.js';
import { directoryHeader, endOfDirectory, localHeader } from './zip/zip-records.js';
import { zipOf } from './zip/zip-of.js';

const ALICE = '@alice:a.example' as UserId;
const AT = Date.UTC(2026, 10, 30, 7, 38, 59);
const HEAD = { userId: ALICE, serverName: 'a.example', madeAt: AT };

function kindOf(
  name: string,
  records: readonly PersonalRecord[],
  more: Partial<PersonalDataKind> = {},
): PersonalDataKind {
  const read = async function* (): AsyncGenerator<PersonalRecord> {
    yield* records;
  };
  const about = `What ${name} are.`;
  const covers = { collections: [], facts: [] };
  return { name, chapter: 'account', title: name, about, covers, isCountedAsErased: false, read, ...more };
}

async function contentOf({ content }: ExportFile): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of content instanceof Uint8Array ? [content] : content) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

async function writeAll(kinds: readonly PersonalDataKind[]): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for await (const file of exportFiles(kinds, HEAD)) {
    expect(files.has(file.path)).toBe(false);
    files.set(file.path, await contentOf(file));
    expect(Buffer.byteLength(files.get(file.path)!)).toBe(file.bytes);
  }
  return files;
}

interface Piece {
  readonly kind: string;
  readonly piece: number;
  readonly records: readonly JsonObject[];
}
const pieceIn = (files: ReadonlyMap<string, string>, path: string): Piece => JSON.parse(files.get(path)!) as Piece;

describe('the files of an export', () => {
  it('are JSON, pages, a manifest of all of them, and a page to begin with, which comes last', async () => {
    const files = await writeAll([
      kindOf('tags', [{ data: { tag: 'a' } }, { data: { tag: 'b' } }]),
      kindOf('none', []),
    ]);
    expect([...files.keys()]).toEqual(['json/tags-0001.json', 'pages/tags.html', 'export.json', 'index.html']);
    expect(pieceIn(files, 'json/tags-0001.json')).toEqual({
      kind: 'tags',
      piece: 1,
      records: [{ tag: 'a' }, { tag: 'b' }],
    });
    const manifest = JSON.parse(files.get('export.json')!) as JsonObject;
    expect(manifest).toMatchObject({ format: 'dev.annals.personal-data', version: 1, user_id: ALICE, made_ts: AT });
    expect(manifest['kinds']).toMatchObject([
      { name: 'tags', records: 2, pieces: [{ path: 'json/tags-0001.json', records: 2 }], pages: ['pages/tags.html'] },
      { name: 'none', records: 0, pieces: [], pages: [] },
    ]);
    for (const path of ['pages/tags.html', 'json/tags-0001.json'])
      expect(files.get('index.html')).toContain(`"${path}"`);
  });

  it('have a bounded size: what is more stands in more of them, and pages lead to each other', async () => {
    const records = Array.from({ length: 5_000 }, (_, n) => ({ data: { n, text: 'x'.repeat(1_000) } }));
    const files = await writeAll([kindOf('notes', records)]);
    const pieces = [...files.keys()].filter((path) => path.startsWith('json/'));
    expect(pieces.length).toBeGreaterThan(2);
    expect(pieces.flatMap((path) => pieceIn(files, path).records.map(({ n }) => n))).toEqual(records.map((_, n) => n));
    for (const [path, text] of files) expect([path, text.length < 2_100_000]).toEqual([path, true]);
    expect(files.get('pages/notes.html')).toContain('href="notes-2.html"');
    expect(files.get('pages/notes-2.html')).toContain('href="notes.html"');
    const pages = [...files.keys()].filter((path) => path.startsWith('pages/'));
    expect(files.get(pages.at(-1)!)).not.toContain('The next page');
  });

  it('show what is of rooms on pages of each', async () => {
    const of = (id: string, text: string): PersonalRecord => ({
      data: { text },
      room: { id: id as RoomId, name: `Room ${id}` },
      shown: { at: AT, what: 'm.room.message', text },
    });
    const files = await writeAll([kindOf('events', [of('!a', 'one'), of('!a', 'two'), of('!b', 'three')])]);
    expect([...files.keys()].filter((path) => path.startsWith('rooms/'))).toEqual([
      'rooms/events-00001.html',
      'rooms/events-00002.html',
    ]);
    expect(files.get('rooms/events-00001.html')).toMatch(/one[^]*two/);
    expect(files.get('rooms/events-00001.html')).not.toContain('three');
    expect(files.get('index.html')).toMatch(/href="rooms\/events-00002.html"><bdi>Room !b<\/bdi>/);
  });

  it('keep the spelling of numbers', async () => {
    const files = await writeAll([
      kindOf('events', [{ data: { n: 1 }, text: '{"n":1.0,"big":123456789012345678901}' }]),
    ]);
    expect(files.get('json/events-0001.json')).toContain('{"n":1.0,"big":123456789012345678901}');
  });

  it('have what people uploaded under names that lead nowhere else, and close what nobody reads', async () => {
    const opened: Readable[] = [];
    const file = (name: string | undefined, text: string | undefined): PersonalRecord => ({
      data: { name },
      file: {
        name,
        bytes: Buffer.byteLength(text ?? ''),
        open: async () => {
          if (text !== undefined) opened.push(Readable.from([Buffer.from(text)]));
          return text === undefined ? undefined : opened.at(-1);
        },
      },
    });
    const records = [file('../../etc/passwd', 'one'), file(undefined, 'two'), file('gone.png', undefined)];
    const files = await writeAll([kindOf('media', records)]);
    expect(files.get('pages/media.html')).toContain('>The file <bdi>../../etc/passwd</bdi></a>');
    expect([...files.keys()].filter((path) => path.startsWith('files/'))).toEqual([
      'files/000001-_._etc_passwd.bin',
      'files/000002.bin',
    ]);
    const [first, second, third] = pieceIn(files, 'json/media-0001.json').records;
    expect([files.get(first!['file'] as string), files.get(second!['file'] as string)]).toEqual(['one', 'two']);
    expect(third!['file']).toBeNull();
    for await (const { path } of exportFiles([kindOf('media', [file('a', 'three')])], HEAD)) {
      expect(path).toMatch(/^files\//);
      break;
    }
    expect(opened.map(({ destroyed }) => destroyed)).toEqual([true, true, true]);
  });

  it.each([
    ['holiday.JPG', '000007-holiday.JPG'],
    ['../../x', '000007-_._x.bin'],
    ['con', '000007-con.bin'],
    ['.htaccess', '000007-htaccess.bin'],
    ['page.html', '000007-page.html.bin'],
    ['drawing.SVG', '000007-drawing.SVG.bin'],
    ['picture.png.xhtml', '000007-picture.png.xhtml.bin'],
    ['naïve ☃ \u202egnp.exe', '000007-naïve_gnp.exe.bin'],
    [`${'a'.repeat(300)}.${'b'.repeat(300)}`, `000007-${'a'.repeat(40)}.${'b'.repeat(12)}.bin`],
    ['', '000007.bin'],
    ['..', '000007.bin'],
    [undefined, '000007.bin'],
  ])('call a file %j that somebody uploaded %j', (name, path) => {
    expect(nameOfFile(7, name)).toBe(path);
  });
});

describe('the pages of an export', () => {
  const HOSTILE = `<script>alert(1)</script><img src=x onerror="alert('2')">&amp;\u202e"'>`;

  it('show what is foreign as it is, and run none of it', async () => {
    const room = { id: `!${HOSTILE}` as RoomId, name: HOSTILE };
    const kinds = [
      kindOf('names', [{ data: { [HOSTILE]: HOSTILE, deep: [{ [HOSTILE]: [HOSTILE] }] } }], { title: HOSTILE }),
      kindOf('events', [{ data: {}, room, shown: { at: AT, what: HOSTILE, text: HOSTILE } }]),
    ];
    for (const [path, text] of await writeAll(kinds)) {
      if (!path.endsWith('.html')) continue;
      expect(text).not.toMatch(/<script|<img|onerror="/);
      expect(text).toContain('default-src &#39;none&#39;; style-src &#39;sha256-');
      expect(text).toContain('<html lang="en">');
    }
  });

  it('say moments as people do, and what is deep as JSON', async () => {
    let deep: JsonObject = { end: true };
    for (let n = 0; n < 100; n++) deep = { deep };
    const records = [{ data: { made_ts: AT, odd_ts: 1e300, yes: true, none: [], nothing: {}, null: null, deep } }];
    const page = (await writeAll([kindOf('odd', records)])).get('pages/odd.html')!;
    expect(page).toContain('<time datetime="2026-11-30T07:38:59.000Z">2026-11-30 07:38:59 UTC</time>');
    for (const text of ['<dd>1e+300</dd>', '<dd>yes</dd>', '<dd>none</dd>', '<dd>nothing</dd>', '>null<'])
      expect(page).toContain(text);
    expect(page).toContain('&#34;end&#34;:true');
  });
});

describe('a ZIP file of them', () => {
  const listed = async function* (files: readonly ExportFile[]): AsyncGenerator<ExportFile> {
    yield* files;
  };
  const zipped = async (files: readonly ExportFile[]): Promise<Buffer> => {
    const pieces: Uint8Array[] = [];
    for await (const piece of zipOf(listed(files), AT)) pieces.push(piece);
    return Buffer.concat(pieces);
  };

  it('has all of them, what comes at once and what comes bit by bit', async () => {
    const bits = ['bit ', 'by ', 'bit'].map((text) => Buffer.from(text));
    const streamed = { path: 'files/ü.txt', bytes: 10, content: Readable.from(bits) };
    const files = readZip(await zipped([fileOfText('a.json', '{}'), streamed, fileOfText('empty', '')]));
    expect([...files].map(([path, content]) => [path, content.toString()])).toEqual([
      ['a.json', '{}'],
      ['files/ü.txt', 'bit by bit'],
      ['empty', ''],
    ]);
  });

  it('says of more files than two bytes count how many they are', () => {
    const end = endOfDirectory(70_000, 10, 100);
    expect([end.length, end.readUInt16LE(56 + 20 + 10), Number(end.readBigUInt64LE(32))]).toEqual([98, 0xffff, 70_000]);
    expect(endOfDirectory(60_000, 10, 100)).toHaveLength(22);
  });

  it('says of what is larger than four bytes can tell where and how large it is', () => {
    const size = 5_000_000_000;
    const name = Buffer.from('large');
    const entry = { name, offset: size, isStreamed: true, isLarge: true, crc: 1, compressed: size, bytes: size };
    const header = directoryHeader(entry, AT);
    expect([20, 24, 42].map((at) => header.readUInt32LE(at))).toEqual([0xffffffff, 0xffffffff, 0xffffffff]);
    const extra = header.subarray(46 + name.length);
    expect([extra.readUInt16LE(0), extra.readUInt16LE(2), extra.length]).toEqual([1, 24, 28]);
    expect([4, 12, 20].map((at) => Number(extra.readBigUInt64LE(at)))).toEqual([size, size, size]);
    expect(localHeader(entry, AT).readUInt16LE(28)).toBe(20);
    const end = endOfDirectory(1, size, 100);
    expect([end.length, end.readUInt32LE(0), Number(end.readBigUInt64LE(48))]).toEqual([
      56 + 20 + 22,
      0x06064b50,
      size,
    ]);
  });

  it('fails as what it is made of does', async () => {
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('one');
        throw new Error('the store is away');
      })(),
    );
    await expect(zipped([{ path: 'a', bytes: 10, content: broken }])).rejects.toThrow('the store is away');
  });

  it('comes in pieces of a bounded size, however many records there are, and lets everything else have its turn', async () => {
    const kind = kindOf('events', []);
    const read = async function* (): AsyncGenerator<PersonalRecord> {
      for (let n = 0; n < 100_000; n++) {
        yield {
          data: { n, body: 'what somebody said' },
          room: { id: '!a' as RoomId, name: 'a' },
          shown: { at: n, what: 'said', text: 'x' },
        };
      }
    };
    let [bytes, largest] = [0, 0];
    for await (const piece of zipOf(exportFiles([{ ...kind, read }], HEAD), AT)) {
      bytes += piece.length;
      largest = Math.max(largest, piece.length);
    }
    expect(bytes).toBeGreaterThan(500_000);
    expect(largest).toBeLessThan(3_000_000);
    // Once without the ZIP file, whose making has turns of its own.
    const turns = await turnsOf(async () => {
      for await (const { content } of exportFiles([{ ...kind, read }], HEAD))
        if (!(content instanceof Uint8Array)) for await (const _ of content);
    });
    expect(turns).toBeGreaterThan(1_000);
  }, 60_000);
});

describe('handing over', () => {
  const handOver = (...kinds: readonly PersonalDataKind[]): HandOver => {
    const data = new PersonalData();
    data.add(...kinds);
    return new HandOver(data, { now: () => AT } as never, { serverName: 'a.example' } as never);
  };

  it('is done for a user once at a time, and for sixteen in all', () => {
    const over = handOver();
    const users = Array.from({ length: 17 }, (_, n) => `@user${n}:x` as UserId);
    const begun = users.slice(0, 16).map((user) => over.begin(user));
    expect(() => over.begin(users[0]!)).toThrow('Your data is being handed over already');
    expect(() => over.begin(users[16]!)).toThrow('Others are handed their data now');
    begun[0]!.end();
    const second = over.begin(users[0]!);
    // The first one ends again: the second goes on.
    begun[0]!.end();
    expect(() => over.begin(users[0]!)).toThrow('already');
    second.end();
    expect(() => over.begin(users[16]!)).not.toThrow();
  });

  it('is no matter of who is slow to take theirs: four are read at a time, and what waits for its reader is none of them', async () => {
    let [reading, most] = [0, 0];
    const read = async function* (): AsyncGenerator<PersonalRecord> {
      for (let n = 0; n < 3; n++) {
        most = Math.max(most, ++reading);
        await new Promise((resolve) => setTimeout(resolve, 1));
        reading--;
        yield { data: { n }, file: { name: 'a.png', bytes: 1, open: async () => Readable.from([Buffer.from('x')]) } };
      }
    };
    const over = handOver(kindOf('media', [], { read }));
    const users = Array.from({ length: 12 }, (_, n) => `@user${n}:x` as UserId);
    // Each has a file, and asks for no other.
    const slow = users.slice(0, 4).map((user) => over.begin(user).files[Symbol.asyncIterator]());
    for (const files of slow) expect((await files.next()).value.path).toBe('files/000001-a.png');
    const paths = await Promise.all(
      users.slice(4).map(async (user) => {
        const found: string[] = [];
        for await (const { path } of over.begin(user).files) found.push(path);
        return found.at(-1);
      }),
    );
    expect(new Set(paths)).toEqual(new Set(['index.html']));
    expect(most).toBe(4);
    for (const files of slow) await files.return?.();
  });

  it('is done for the operator, whoever is handed theirs at the time', async () => {
    const over = handOver(kindOf('tags', []));
    const users = Array.from({ length: 16 }, (_, n) => `@user${n}:x` as UserId);
    const begun = users.map((user) => over.begin(user));
    const { files, end } = over.beginForOperator(users[0]!);
    const paths: string[] = [];
    for await (const { path } of files) paths.push(path);
    end();
    expect(paths).toEqual(['export.json', 'index.html']);
    // It gave no place away that others hold.
    expect(() => over.begin(users[0]!)).toThrow('already');
    begun[0]!.end();
    expect(() => over.begin(users[0]!)).not.toThrow();
  });

  it('shows the first of each kind of a chapter, and whether there are more, but for what says the same at length', async () => {
    const records = ['a', 'b', 'c'].map((server) => ({ data: { server } }));
    const chapter = 'places';
    const over = handOver(
      kindOf('tags', records),
      kindOf('servers', records, { chapter }),
      kindOf('copies', records, { chapter, isHandedOverAlone: true }),
      kindOf('browsers', records.slice(0, 2), { chapter }),
    );
    const shown = (await over.glimpse(ALICE, chapter, 2)).map(({ kind, ...rest }) => ({ title: kind.title, ...rest }));
    const first = records.slice(0, 2);
    expect(shown).toEqual([
      { title: 'browsers', records: first, hasMore: false },
      { title: 'servers', records: first, hasMore: true },
    ]);
  });

  it('knows each kind by one name', () => {
    expect(() => handOver(kindOf('tags', []), kindOf('tags', []))).toThrow('two kinds of personal data called tags');
  });
});

describe('who takes an export', () => {
  afterEach(() => vi.useRealTimers());

  const FAKED = ['setTimeout', 'clearTimeout', 'performance'] as const;
  const PACE = { bytesPerSecond: 100, afterMs: 10_000 };
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) yield Buffer.alloc(1_000);
  };

  it('may take some time, by how much it is, and no more than that', async () => {
    vi.useFakeTimers({ toFake: [...FAKED] });
    let isSlow = false;
    const taken = inTime(pieces(), () => (isSlow = true), PACE);
    // 10 seconds, and 10 more for each piece.
    await taken.next();
    await vi.advanceTimersByTimeAsync(19_000);
    await taken.next();
    await vi.advanceTimersByTimeAsync(10_900);
    expect(isSlow).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(isSlow).toBe(true);
    await taken.return();
  });

  it('is not blamed for what it takes to make it, nor watched once it is over', async () => {
    vi.useFakeTimers({ toFake: [...FAKED] });
    let isSlow = false;
    const slowly = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of pieces()) {
        await new Promise((resolve) => setTimeout(resolve, 60_000));
        yield piece;
      }
    };
    const taken = inTime(slowly(), () => (isSlow = true), PACE);
    for (let n = 0; n < 3; n++) {
      const next = taken.next();
      await vi.advanceTimersByTimeAsync(60_000);
      await next;
    }
    await taken.return();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(isSlow).toBe(false);
  });
});
