import type { PduEntry } from '#rooms/queries/auth-chain';

/** PERF: small writes cost more than the bytes in them. */
const CHUNK = 64 * 1024;

/** The text of an event itself. */
export const pduText = ([, text]: PduEntry): string => text;
/** Its id alone. */
export const idText = ([eventId]: PduEntry): string => JSON.stringify(eventId);

/** What stands between the brackets of a JSON array of events. Pages of them may be empty. */
export async function* listText(
  pages: AsyncIterable<readonly PduEntry[]>,
  textOf: (entry: PduEntry) => string,
): AsyncGenerator<string, void> {
  let isFirst = true;
  for await (const page of pages) {
    if (page.length === 0) continue;
    yield `${isFirst ? '' : ','}${page.map(textOf).join()}`;
    isFirst = false;
  }
}

/** Some texts, one after another. */
export async function* inOrder(texts: readonly (string | AsyncIterable<string>)[]): AsyncGenerator<string, void> {
  for (const text of texts) {
    if (typeof text === 'string') yield text;
    else yield* text;
  }
}

/** The bytes of some texts. */
export async function* inChunks(texts: AsyncIterable<string>): AsyncGenerator<Buffer, void> {
  let chunk = '';
  for await (const text of texts) {
    chunk += text;
    if (chunk.length < CHUNK) continue;
    yield Buffer.from(chunk);
    chunk = '';
  }
  yield Buffer.from(chunk);
}
