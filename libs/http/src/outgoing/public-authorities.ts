import { readFileSync } from 'node:fs';
import * as tls from 'node:tls';

/** In Node 22.15 and later: all that it trusts by itself, by its options too (`--use-system-ca`, `--use-openssl-ca`). */
type WithAuthorities = typeof tls & { getCACertificates?(type: 'default'): readonly string[] };

/** The authorities (PEM) that Node trusts unless it is told of others: its own, and those of the operator's `NODE_EXTRA_CA_CERTS`. */
export function publicAuthorities(env: NodeJS.ProcessEnv = process.env): readonly string[] {
  const { getCACertificates } = tls as WithAuthorities;
  if (getCACertificates !== undefined) return getCACertificates('default');
  const extra = env['NODE_EXTRA_CA_CERTS'];
  if (extra === undefined || extra === '') return tls.rootCertificates;
  try {
    return [...tls.rootCertificates, readFileSync(extra, 'utf8')];
  } catch {
    // Node has said so as it started, and goes on.
    return tls.rootCertificates;
  }
}
