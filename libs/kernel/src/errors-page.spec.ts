import { expect, test } from 'vitest';
import { ERRORS } from './matrix-error.js';

/** `npx vitest run libs/kernel/src/errors-page.spec.ts -u` writes the page anew. */
test('docs/errors.md mirrors the catalogue of refusals', async () => {
  const rows = Object.entries(ERRORS).map(([errcode, [status, text]]) => `| \`${errcode}\` | ${status} | ${text} |`);
  await expect(`# How requests are refused

Every refusal is \`{"errcode": …, "error": …}\` with the codes of the specification; \`error\` is for people and may say more
than here. A bug of ours is 500 \`M_UNKNOWN\` with an id in \`error\` that the log line carries too. Some refusals have another
status than the usual one where the specification says so, or more keys (\`retry_after_ms\`, the flows of interactive
authentication, \`soft_logout\`).
While the log or the views cannot be reached, requests that need them are 503 \`M_UNKNOWN\` with \`Retry-After\`, within ten seconds.

| errcode | status | usual text |
| --- | --- | --- |
${rows.toSorted().join('\n')}
`).toMatchFileSnapshot('../../../docs/errors.md');
});
