import { expect, it } from 'vitest';
import { isMailAddress } from './mail-address.js';

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
