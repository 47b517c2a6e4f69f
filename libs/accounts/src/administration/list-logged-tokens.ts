import type { EventStore } from '#event-store/event-store';
import { REGISTRATION_TOKEN_STREAM_PREFIX, tokenHashOfStream } from '../facts/registration-token-facts.js';
import {
  REGISTRATION_TOKENS,
  type RegistrationTokenRow,
  registrationTokensProjector,
} from '../projections/registration-tokens.projector.js';
import { oldestFirst, type ListedToken, listedToken } from '../queries/registration-tokens.js';
import { rowOfStream } from './row-of-stream.js';

/** As `listRegistrationTokens`, as the log has them: for when nobody keeps the views up to date. */
export async function listLoggedTokens(store: EventStore, now: number): Promise<ListedToken[]> {
  const tokens: ListedToken[] = [];
  for await (const stream of store.streams({ prefix: REGISTRATION_TOKEN_STREAM_PREFIX })) {
    const row = await rowOfStream<RegistrationTokenRow>(
      store,
      stream,
      registrationTokensProjector,
      REGISTRATION_TOKENS.name,
    );
    if (row !== undefined && !row.revoked) tokens.push(listedToken(tokenHashOfStream(stream), row, now));
  }
  return oldestFirst(tokens);
}
