import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { atOnce } from '#kernel/steps';
import type { Contact } from '../facts/contact-facts.js';
import { findAddress } from './find-address.js';
import type { ContactReading } from './parse-contact.js';
import { vCardText } from './vcard-text.js';
import { readVCards, writeVCard } from './vcards.js';

const READING: ContactReading = {
  ours: 'example.org' as ServerName,
  // As in Germany.
  findAddress: (medium, text) =>
    findAddress(medium, text, (phone) =>
      /^0[1-9][\d ]+$/.test(phone) ? `49${phone.replaceAll(' ', '').slice(1)}` : undefined,
    ),
};
const read = (text: string): Contact[] => atOnce(readVCards(text, READING));
const card = (...lines: string[]): string => ['BEGIN:VCARD', ...lines, 'END:VCARD', ''].join('\r\n');
const errcodeOf = (text: string): string => {
  try {
    return `${read(text).length} read`;
  } catch (error) {
    if (error instanceof MatrixError) return error.errcode;
    throw error;
  }
};

describe('a vCard', () => {
  it('is read: whom it names, where they are reached, which users they are, and what it says besides', () => {
    const text = card(
      'VERSION:4.0',
      'PRODID:-//a maker//EN',
      'UID:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1',
      'FN:Zoë Smith\\, of course',
      'N:Smith;Zoë;;;',
      'EMAIL;TYPE=home:ZOE@Example.ORG',
      'item1.TEL;TYPE=cell,voice:+49 (30) 123-456',
      'item1.X-ABLABEL:mine',
      'TEL;VALUE=uri:tel:0049-30-98765',
      'TEL:030 555 5555',
      'TEL:call me',
      'IMPP:matrix:u/zoe:example.org?action=chat',
      'IMPP:xmpp:zoe@example.org',
      'NOTE:two\\nlines\\, of it',
      'BDAY:1985-04-12',
      'ADR;TYPE=home:;;Street 1\\, left;Berlin;;10115;Germany',
      'PHOTO;ENCODING=b;TYPE=JPEG:AAAA',
      ' BBBB',
      'CATEGORIES:a,b',
    );
    expect(read(text)).toEqual([
      {
        uid: 'urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1',
        name: 'Zoë Smith, of course',
        threepids: [
          { medium: 'email', address: 'zoe@example.org', label: 'home' },
          { medium: 'msisdn', address: '4930123456', label: 'cell,voice' },
          { medium: 'msisdn', address: '493098765' },
          { medium: 'msisdn', address: '49305555555' },
        ],
        user_ids: ['@zoe:example.org'],
        note: 'two\nlines, of it',
        vcard: [
          ['n', {}, 'text', ['Smith', 'Zoë', '', '', '']],
          ['x-ablabel', { group: 'item1' }, 'unknown', 'mine'],
          ['tel', {}, 'uri', 'call me'],
          ['impp', {}, 'uri', 'xmpp:zoe@example.org'],
          ['bday', {}, 'date-and-or-time', '1985-04-12'],
          ['adr', { type: 'home' }, 'text', ['', '', 'Street 1, left', 'Berlin', '', '10115', 'Germany']],
          ['categories', {}, 'text', 'a', 'b'],
        ],
      },
    ]);
  });

  it('is read in version 2.1, as telephones write it', () => {
    const text = card(
      'VERSION:2.1',
      'N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=BCrgen;;;',
      'FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen=20=',
      'M=C3=BCller',
      'TEL;CELL;PREF:+4930123456',
      'NOTE;ENCODING=QUOTED-PRINTABLE:one=0Atwo, three',
      'PHOTO;ENCODING=BASE64;JPEG:AAAA',
      ' BBBB',
      '',
      'EMAIL;HOME:j@example.org',
    );
    expect(read(text + text)[1]).toMatchObject({
      name: 'Jürgen Müller',
      threepids: [
        { medium: 'msisdn', address: '4930123456', label: 'cell,pref' },
        { medium: 'email', address: 'j@example.org', label: 'home' },
      ],
      note: 'one\ntwo, three',
      vcard: [['n', {}, 'text', ['Müller', 'Jürgen', '', '', '']]],
    });
  });

  it.each([
    [
      'folded in a character',
      Buffer.from('FN:M\u00FCller', 'utf8'),
      '',
      (all: Buffer) => Buffer.concat([all.subarray(0, 5), Buffer.from('\r\n '), all.subarray(5)]),
    ],
    ['in what it says itself', Buffer.from('N;CHARSET=ISO-8859-1:M\xFCller', 'latin1'), '', undefined],
    ['in what it does not say', Buffer.from('FN:M\xFCller', 'latin1'), '', undefined],
    ['in what its type says', Buffer.from('FN:M\xFCller', 'latin1'), 'iso-8859-1', undefined],
    ['in a charset that nobody knows', Buffer.from('FN:M\u00FCller', 'utf8'), 'x-none', undefined],
    [
      'encoded, in what it says',
      Buffer.from('FN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller'),
      '',
      undefined,
    ],
    ['encoded, in what it does not say', Buffer.from('FN;QUOTED-PRINTABLE:M=FCller'), '', undefined],
  ])('keeps its letters: %s', (_, line, charset, fold) => {
    const bytes = fold?.(line) ?? line;
    const body = Buffer.concat([
      Buffer.from('BEGIN:VCARD\r\nVERSION:2.1\r\n'),
      bytes,
      Buffer.from('\r\nEND:VCARD\r\n'),
    ]);
    expect(read(atOnce(vCardText(body, charset === '' ? undefined : charset)))).toMatchObject([{ name: 'Müller' }]);
  });

  it('is read where it is written as in version 2.1 and says another', () => {
    const text = card(
      'VERSION:3.0',
      'N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=C3=96=64=65;=',
      '=C3=96=6D=C3=BC=72;;;',
      'ADR;HOME;ENCODING=QUOTED-PRINTABLE:;;=C3=98 1;;;;',
      'TEL;CELL:+4930123456',
      'EMAIL;TYPE="x;y":o@example.org',
      'CATEGORIES:a,b',
    );
    expect(read(text)).toEqual([
      {
        name: 'Ömür Öde',
        threepids: [
          { medium: 'msisdn', address: '4930123456', label: 'cell' },
          { medium: 'email', address: 'o@example.org', label: 'x;y' },
        ],
        vcard: [
          ['n', {}, 'text', ['Öde', 'Ömür', '', '', '']],
          ['adr', { type: 'HOME' }, 'text', ['', '', 'Ø 1', '', '', '', '']],
          ['categories', {}, 'text', 'a', 'b'],
        ],
      },
    ]);
  });

  it('keeps its letters in UTF-16, which it begins with', () => {
    const body = Buffer.from(`\uFEFF${card('VERSION:3.0', 'FN:Müller')}`, 'utf16le');
    expect(read(atOnce(vCardText(body, undefined)))).toEqual([{ name: 'Müller' }]);
    expect(read(atOnce(vCardText(body.swap16(), undefined)))).toEqual([{ name: 'Müller' }]);
  });

  it('says what it means where more is escaped than has to be, and where that is folded', () => {
    const text = card(
      'VERSION:3.0',
      'FN:a\\; b\\\\; c',
      'NOTE:d\\',
      ' ;e\\:',
      'URL:https\\://b.example',
      'N:A\\;B;C;;;',
      'X-OWN:a\\;b',
    );
    expect(read(text)).toEqual([
      {
        name: 'a; b\\; c',
        note: 'd;e:',
        vcard: [
          ['url', {}, 'uri', 'https://b.example'],
          ['n', {}, 'text', ['A;B', 'C', '', '', '']],
          ['x-own', {}, 'unknown', 'a\\;b'],
        ],
      },
    ]);
  });

  it('names no room as a user, and holds no picture by a URI that is the picture', () => {
    const text = card(
      'VERSION:4.0',
      'FN:x',
      'IMPP:matrix:roomid/kitchen:b.example/e/x',
      'IMPP:matrix:@bob:b.example',
      `PHOTO;VALUE=uri:data:image/png;base64,${'A'.repeat(20_000)}`,
      'PHOTO;VALUE=uri:https://b.example/x.png',
    );
    expect(read(text)).toEqual([
      {
        name: 'x',
        user_ids: ['@bob:b.example'],
        vcard: [
          ['impp', {}, 'uri', 'matrix:roomid/kitchen:b.example/e/x'],
          ['photo', {}, 'uri', 'https://b.example/x.png'],
        ],
      },
    ]);
  });

  it('has the name that its parts make where nothing else is said', () => {
    expect(read(card('VERSION:3.0', 'N:Smith;Bob;;;'))[0]).toMatchObject({ name: 'Bob Smith' });
  });

  it.each([
    ['nothing', ''],
    ['text', 'hello'],
    ['a calendar', 'BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR'],
    ['JSON', '{"a":[]}'],
    ['an end without a beginning', 'END:VCARD\r\nEND:VCARD\r\nFN:x'],
    ['no end', 'BEGIN:VCARD\r\nVERSION:4.0\r\nFN:x'],
    ['nothing in it', card()],
    ['a line that is none', card('VERSION:4.0', 'FN')],
    ['parameters that end nowhere', card('VERSION:4.0', 'FN;X="')],
    ['a type that is a list', card('VERSION:4.0', 'FN;VALUE=text,uri:x')],
  ])('is refused where it is none: %s', (_, text) => {
    expect(errcodeOf(text)).toBe('M_INVALID_PARAM');
  });

  it('is refused where it is too large, or there are too many', () => {
    expect(errcodeOf(card('VERSION:4.0', `FN:${'x'.repeat(20_000)}`))).toMatch(/M_(TOO_LARGE|INVALID_PARAM)/);
    expect(errcodeOf(card('VERSION:4.0', 'FN:x', `X-LONG:${'x'.repeat(20_000)}`))).toBe('M_TOO_LARGE');
    // The parser takes the square of their number.
    expect(errcodeOf(card('VERSION:4.0', `FN${';A=B'.repeat(20_000)}:x`))).toBe('M_TOO_LARGE');
    expect(errcodeOf(card('VERSION:4.0', `NOTE:${'x'.repeat(1_100_000)}`))).toBe('M_TOO_LARGE');
    expect(errcodeOf(card('VERSION:4.0', 'FN:x').repeat(1_001))).toBe('M_TOO_LARGE');
  });

  it('comes to no harm by names that objects have, nor by what is very deep or very long', () => {
    const odd = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const names = odd.map((name) => `${name};${name}=x:${name}`);
    expect(read(card('VERSION:4.0', 'FN:x', ...names))[0]?.name).toBe('x');
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    for (const text of [
      'BEGIN:VCARD\r\n'.repeat(50_000),
      card('VERSION:4.0', `FN${';A=B'.repeat(100_000)}:x`),
      card('VERSION:4.0', `N:${';'.repeat(500_000)}`),
      card('VERSION:4.0', `CATEGORIES:${','.repeat(500_000)}`),
      card('VERSION:4.0', `FN:${'\\'.repeat(500_000)}`),
      card('VERSION:4.0', `FN;X="${'^'.repeat(500_000)}":x`),
      card('VERSION:4.0', 'FN:x', ' y\r\n'.repeat(200_000)),
      `VERSION:2.1\r\nNOTE;QUOTED-PRINTABLE:${'=\r\n'.repeat(200_000)}`,
      card('VERSION:4.0', `FN${';A'.repeat(1_000_000)}`),
      `VERSION:2.1\r\nNOTE;QUOTED-PRINTABLE:${'x=\r\n'.repeat(1_000_000)}`,
      card('VERSION:4.0', `PHOTO${';VALUE=uri'.repeat(500_000)}`),
    ]) {
      const begun = performance.now();
      errcodeOf(text);
      expect(performance.now() - begun).toBeLessThan(5_000);
    }
  });

  it.each([
    ['ends of lines', '\n'.repeat(8_000_000), 1_000],
    ['lines that go on', `VERSION:2.1\nNOTE;QUOTED-PRINTABLE:${'x=\n'.repeat(2_500_000)}`, 5_000],
    ['one line', `VERSION:2.1\nNOTE;QUOTED-PRINTABLE:${'=41'.repeat(2_500_000)}`, 0],
    ['long lines that are encoded', `VERSION:2.1\n${`N;QUOTED-PRINTABLE:${'=41'.repeat(20_000)}\n`.repeat(130)}`, 45],
    [
      'long lines of which nothing stays',
      `VERSION:2.1\n${`N${';8bit'.repeat(12_000)}:\n`.repeat(130)}${'x'.repeat(70_000)}`,
      130,
    ],
    [
      'a line of pieces of which nothing stays',
      `PHOTO:a\n${' x\n'.repeat(2_500_000)}NOTE:${'x'.repeat(70_000)}`,
      10_000,
    ],
    ['phone numbers that are none', card(...Array<string>(4_000).fill('TEL:030'), `ADR:${'x'.repeat(20_000)}`), 250],
  ])('lets others have their turn while it is read, and stops where it is too much: %s', (_, text, atLeast) => {
    const steps = readVCards(text, READING);
    let taken = 0;
    expect(() => {
      while (steps.next().done !== true) taken++;
    }).toThrow(expect.objectContaining({ errcode: 'M_TOO_LARGE' }) as Error);
    expect(taken).toBeGreaterThanOrEqual(atLeast);
    expect(taken).toBeLessThan(30_000);
  });

  it.each([
    ['folded', '\xFF\n'.padEnd(8_000_000, '\n '), undefined, 1_000],
    ['as Windows writes', '\xFF'.padEnd(8_000_000, 'a'), undefined, 200],
    ['in a charset', 'a'.repeat(8_000_000), 'iso-2022-jp', 100],
    ['in UTF-16', '\xFF\xFE'.padEnd(8_000_000, 'a\0'), undefined, 100],
  ])('lets others have their turn while its letters are read: %s', (_, text, charset, atLeast) => {
    const steps = vCardText(Buffer.from(text, 'latin1'), charset);
    let taken = 0;
    while (steps.next().done !== true) taken++;
    expect(taken).toBeGreaterThanOrEqual(atLeast);
  });

  it('keeps the space with which an encoded line goes on, where other letters are not in UTF-8', () => {
    const lines = ['BEGIN:VCARD', 'VERSION:2.1', 'FN:M\xFCller', 'NOTE;QUOTED-PRINTABLE:one=', ' two', 'END:VCARD', ''];
    for (const end of ['\r\n', '\n', '\r'])
      expect(read(atOnce(vCardText(Buffer.from(lines.join(end), 'latin1'), undefined)))).toEqual([
        { name: 'Müller', note: 'one two' },
      ]);
  });

  it('is read or refused, and nothing else, whatever it holds', () => {
    const piece = fc.constantFrom(
      'BEGIN:VCARD', 'END:VCARD', 'VERSION:4.0', 'VERSION:2.1', 'FN:x', 'N:a;b', 'TEL;TYPE=a,b:+1234567', 'x.y.z:1',
      'NOTE;ENCODING=QUOTED-PRINTABLE:=C3=', ' folded', ';', ':', '=', '"', ',', '\\', '\r\n', '\n', '\u0000', '\uD800', 'VALUE=', 'BDAY:--04', 'GENDER:;', '^n', 'LANG;PREF=1:de', 'REV:2', 'KIND:group',
    ); // prettier-ignore
    const noise = fc.array(fc.oneof({ weight: 4, arbitrary: piece }, fc.string({ maxLength: 20, unit: 'binary' })), {
      maxLength: 30,
    });
    const text = noise.chain((pieces) =>
      fc.constantFrom(
        pieces.join('\r\n'),
        pieces.join(''),
        card('VERSION:4.0', 'FN:x', ...pieces),
        card(pieces.join('')),
      ),
    );
    fc.assert(
      fc.property(text, (given) => {
        const outcome = errcodeOf(given);
        expect(outcome).toMatch(/^(\d+ read|M_INVALID_PARAM|M_TOO_LARGE|M_BAD_JSON)$/);
        if (outcome.endsWith(' read'))
          for (const contact of read(given)) expect(() => read(writeVCard(contact))).not.toThrow();
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a contact', () => {
  it('goes out as a vCard that says the same', () => {
    const contact: Contact = {
      uid: 'u1',
      name: 'Zoë; Smith, \\ of\ncourse',
      note: 'a\nb, c; d',
      threepids: [
        { medium: 'email', address: 'zoe@example.org', label: 'home' },
        { medium: 'msisdn', address: '4930123456', label: 'cell,voice' },
      ],
      user_ids: ['@zoë/x:b.example' as never, '@bob:example.org' as never],
      vcard: [
        ['n', {}, 'text', ['Smith', 'Zoë', '', '', '']],
        ['adr', { type: 'home' }, 'text', ['', '', 'Street 1, left', 'Berlin', '', '10115', 'Germany']],
      ],
    };
    expect(read(writeVCard(contact))).toEqual([contact]);
  });

  it('writes no line but its own', () => {
    const evil = 'x\r\nTEL:+123456789\r\n';
    const contact: Contact = {
      name: evil,
      threepids: [{ medium: 'email', address: 'a@b', label: evil }],
      vcard: [
        ['url', { type: evil }, 'uri', evil],
        ['x-odd', { type: [evil, '"'] }, 'boolean', evil],
        ['bday', {}, 'date', evil],
      ],
    };
    const written = writeVCard({ ...contact, note: 'a\0b' });
    expect(written).toMatch(/NOTE:a b\r\n.*[^\n]\r\nEND:VCARD\r\n$/s);
    const [again] = read(written);
    expect(again?.threepids?.map(({ medium }) => medium)).toEqual(['email']);
  });
});
