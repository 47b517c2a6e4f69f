import { describe, expect, it } from 'vitest';
import { decodePage, readPage } from './read-page.js';

describe('what a page says of itself', () => {
  it('is its Open Graph, first of all', async () => {
    const page = `<!doctype html><html><head>
      <title>Not this</title>
      <meta property="og:title" content="Fish &amp; chips">
      <meta property="og:title" content="Not this one">
      <meta property="og:description" content="  Where\n to  eat ">
      <meta property="og:image" content="/fish.png"><meta property="og:site_name" content="Food">
      <meta property="og:video" content="https://elsewhere.example/video">
      <meta name="twitter:title" content="Nor this"></head><body><p>text`;
    expect(await readPage(page)).toEqual({
      properties: { 'og:title': 'Fish & chips', 'og:description': 'Where to eat', 'og:site_name': 'Food' },
      image: '/fish.png',
      base: undefined,
    });
  });

  it('is its card, its title and its description where it has no Open Graph', async () => {
    const card = '<meta name="twitter:title" content="T"><meta name="twitter:image" content="https://x.example/i.png">';
    expect(await readPage(card)).toMatchObject({ properties: { 'og:title': 'T' }, image: 'https://x.example/i.png' });
    const plain = '<TITLE>A <b>page</b></TITLE><META NAME="Description" CONTENT="of words"><base href="/a/">';
    expect(await readPage(plain)).toEqual({
      properties: { 'og:title': 'A <b>page</b>', 'og:description': 'of words' },
      image: undefined,
      base: '/a/',
    });
    expect(await readPage('')).toEqual({ properties: {}, image: undefined, base: undefined });
  });

  it('is no longer than anybody shows, whatever is there', async () => {
    const long = await readPage(`<title>${'x'.repeat(100_000)}</title>`);
    expect(long.properties['og:title']).toHaveLength(1000);
    // Nor is more of it read than that.
    const late = await readPage(`<meta property="og:title" content="${' '.repeat(100_000)}x"><title>T</title>`);
    expect(late.properties).toEqual({ 'og:title': 'T' });
    const strange = [
      '<'.repeat(100_000),
      '<meta '.repeat(20_000),
      `<title>${'<svg><title>'.repeat(10_000)}`,
      `<meta property="__proto__" content="x"><meta property="og:title" content="a\0b\uD800">`,
    ];
    for (const page of strange) expect(await readPage(page)).toBeDefined();
    const { properties } = await readPage(strange.at(-1)!);
    expect(properties).toEqual({ 'og:title': 'a b' });
  });

  it('is nothing of what stands deeper than in any page, and all of what stands before', async () => {
    const said = '<meta property="og:title" content="T">';
    const later = '<meta property="og:description" content="D">';
    expect((await readPage(`${said}${'<b>'.repeat(170_000)}${later}`)).properties).toEqual({ 'og:title': 'T' });
    expect((await readPage(`${said}${'<svg><p>'.repeat(60_000)}${later}`)).properties).toEqual({ 'og:title': 'T' });
    const long = `${said}${'<div><p>a<br>b<p>c<img></div></p></b>'.repeat(10_000)}${later}`;
    expect((await readPage(long)).properties).toEqual({ 'og:title': 'T', 'og:description': 'D' });
  });

  it('is read in the encoding that the server, the page or its first bytes say', () => {
    const of = (text: string, encoding: 'latin1' | 'utf8' | 'utf16le'): Buffer => Buffer.from(text, encoding);
    expect(decodePage(of('Märchen', 'utf8'), 'text/html')).toBe('Märchen');
    expect(decodePage(of('Märchen', 'latin1'), 'text/html; charset=ISO-8859-1')).toBe('Märchen');
    expect(decodePage(of('<meta charset="windows-1252">Märchen', 'latin1'), 'text/html')).toContain('Märchen');
    expect(decodePage(of('\uFEFFMärchen', 'utf16le'), 'text/html; charset=utf-8')).toBe('Märchen');
    expect(decodePage(Buffer.from([0x82, 0xa0]), 'text/html; charset="Shift_JIS"')).toBe('あ');
    expect(decodePage(of('x', 'utf8'), 'text/html; charset=nonsense')).toBe('x');
  });
});
