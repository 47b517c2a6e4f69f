const IPV4 = /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/;
const BRACKETS = /^\[([\da-f:.]+)\](?::\d{1,5})?$/i;

/**
 * A list of addresses as reverse proxies write it (`X-Forwarded-For`), without the ports that some of them tell as well (Azure Application Gateway,
 * IIS): each connection has another, so whoever is limited by their address would only have to connect anew, and no proxy in between would be known.
 */
export function withoutPorts(list: string): string {
  // PERF: most have one IPv4 address and nothing else.
  if (!list.includes(':')) return list;
  return list
    .split(',')
    .map((entry) => {
      const address = entry.trim();
      return IPV4.exec(address)?.[1] ?? BRACKETS.exec(address)?.[1] ?? address;
    })
    .join(', ');
}
