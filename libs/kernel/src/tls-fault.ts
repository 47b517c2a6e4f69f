/** What Node calls a certificate that it does not take: these, and all that begin with one of the words. */
const CERTIFICATE =
  /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/;
const NO_TLS = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'EPROTO', 'ERR_SSL_PACKET_LENGTH_TOO_LONG']);

/** What the code of a failed connection says of TLS: other settings are needed, and waiting does not help. */
export function tlsFaultOf(code: string | undefined): 'certificate' | 'no TLS' | undefined {
  if (code === undefined) return undefined;
  if (NO_TLS.has(code)) return 'no TLS';
  return CERTIFICATE.test(code) ? 'certificate' : undefined;
}
