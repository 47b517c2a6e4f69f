import { expect, it } from 'vitest';
import { foldMailAddress, isMailAddress } from './mail-address.js';

it.each([
  'alice@example.org',
  'a.b+matrix=1@mail.example.org',
  "o'brien@localhost",
  'ålice@example.org',
  'alice@exämple.org',
])('takes %s as an address', (address) => expect(isMailAddress(address)).toBe(true));

it.each([
  '',
  'alice',
  '@example.org',
  'alice@',
  'alice@example.org, eve@example.org',
  'alice@example.org\r\nBcc: eve@example.org',
  'alice\n@example.org',
  'Alice <alice@example.org>',
  '"a b"@example.org',
  'alice@exa mple.org',
  'alice@[127.0.0.1]',
  'alice@127.0.0.1',
  'alice@127.1',
  'alice@0x7f.1',
  'alice@１２７.0.0.1',
  'alice@example。org',
  'alice@example．org',
  'alice@example｡org',
  'alice@-example.org',
  'alice@example..org',
  `${'a'.repeat(65)}@example.org`,
  `a@${'a.'.repeat(140)}org`,
])('does not take %j as one', (address) => expect(isMailAddress(address)).toBe(false));

// "Caseless Matching": chapter 5.18 of the Unicode standard, and its CaseFolding.txt.
it.each([
  ['Strauß@Example.com', 'strauss@example.com'],
  ['STRAUẞ@EXAMPLE.COM', 'strauss@example.com'],
  ['ΟΔΥΣΣΕΥΣ@example.com', 'οδυσσευσ@example.com'],
  ['οδυσσευς@example.com', 'οδυσσευσ@example.com'],
  ['ſara@example.com', 'sara@example.com'],
  ['oﬃce@example.com', 'office@example.com'],
  ['\u212belsa@example.com', 'åelsa@example.com'],
  ['ju\u0308rgen@mu\u0308nchen.example', 'jürgen@münchen.example'],
  ['ıı@example.com', 'ıı@example.com'],
  ['İ@example.com', 'i\u0307@example.com'],
  [' alice+tag@Example.COM ', 'alice+tag@example.com'],
  ['alice@STRAßE.example', 'alice@straße.example'],
])('keeps and compares %j as %j', (typed, folded) => {
  expect(foldMailAddress(typed)).toBe(folded);
  expect(foldMailAddress(folded)).toBe(folded);
});
