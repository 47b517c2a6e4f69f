/**
 * Where whoever has shown an address to be theirs goes on: with the id of the validation at the very end, also behind a fragment. NOTSPEC: clients
 * that are opened by it know by that which validation it was (Element; Sydent and Synapse add it).
 */
export function nextLinkOf(link: string, sid: string): string {
  return `${link}${link.includes('?') ? '&' : '?'}sid=${encodeURIComponent(sid)}`;
}
