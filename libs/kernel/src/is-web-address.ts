/** Whether a text is a URL by one of these protocols, colon included. */
export function isUrlBy(protocols: readonly string[], text: string): boolean {
  return URL.canParse(text) && protocols.includes(new URL(text).protocol);
}

const OF_WEB = Object.freeze(['http:', 'https:']);

/** Whether a text is a URL of a page, or of what else speaks HTTP. */
export const isWebAddress = (text: string): boolean => isUrlBy(OF_WEB, text);
