import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { publicAuthorities } from './public-authorities.js';

// Newer ones tell by themselves, as they were when the process started.
it.skipIf('getCACertificates' in tls)(
  'the authorities that Node trusts are its own and those of NODE_EXTRA_CA_CERTS',
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'annals-authorities-'));
    const file = join(directory, 'extra.pem');
    const { certificate } = new TestAuthority();
    writeFileSync(file, certificate);
    expect(publicAuthorities({ NODE_EXTRA_CA_CERTS: file })).toEqual([...tls.rootCertificates, certificate]);
    for (const env of [{}, { NODE_EXTRA_CA_CERTS: '' }, { NODE_EXTRA_CA_CERTS: join(directory, 'nowhere.pem') }])
      expect(publicAuthorities(env)).toEqual(tls.rootCertificates);
    rmSync(directory, { recursive: true });
  },
);
