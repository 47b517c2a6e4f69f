import { describe, expect, it } from 'vitest';
import { splitServerName } from './split-server-name.js';

describe('the parts of a server name', () => {
  it.each([
    ['example.org', 'example.org', undefined, false],
    ['example.org:8448', 'example.org', 8448, false],
    ['1.2.3.4', '1.2.3.4', undefined, true],
    ['1.2.3.4:65535', '1.2.3.4', 65_535, true],
    ['[2a00::1]', '2a00::1', undefined, true],
    ['[2a00::1]:1', '2a00::1', 1, true],
    ['1.2.3.400', '1.2.3.400', undefined, false],
  ])('of %s', (name, host, port, isAddress) => expect(splitServerName(name)).toEqual({ host, port, isAddress }));

  it.each(['example.org:0', 'example.org:65536', '[1.2.3.4]', '[:::::]', '2a00::1', '[fe80::1%eth0]', '[2a00::1', ''])(
    'are none where nothing can be connected to: %s',
    (name) => expect(splitServerName(name)).toBeUndefined(),
  );
});
