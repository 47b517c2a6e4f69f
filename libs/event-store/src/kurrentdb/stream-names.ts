/**
 * Names of streams on the server: `<namespace>.<name, percent-encoded>`. The namespace keeps our streams apart from the
 * server's own (which begin with `$`) and from those of others; percent-encoding keeps prefixes, so that the server can
 * filter by them.
 */
export interface StreamNames {
  /** What all our streams, or those whose name starts with `prefix`, begin with on the server. */
  prefixOnServer(prefix?: string): string;
  toServer(name: string): string;
  fromServer(name: string): string;
  /** Of the stream that says what was erased: no other stream is called so, nor begins with what ours begin with. */
  readonly erasures: string;
}

/** What streams of a namespace are called on the server. Throws a RangeError for what is no namespace. */
export function streamNamesIn(namespace: string): StreamNames {
  if (!/^[a-z][a-z0-9-]*$/.test(namespace)) throw new RangeError(`Not a namespace for streams: ${namespace}`);
  const start = `${namespace}.`;
  const toServer = (name: string) => start + encodeURIComponent(name);
  return {
    prefixOnServer: (prefix = '') => toServer(prefix),
    toServer,
    erasures: `${namespace}/erasures`,
    fromServer: (name) => decodeURIComponent(name.slice(start.length)),
  };
}
