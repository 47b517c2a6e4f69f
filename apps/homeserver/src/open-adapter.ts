import { answerAfterEffects } from '#http/answer-after-effects';
import { MatrixAdapter } from '#http/matrix-adapter';
import { watchRequests } from '#observability/request-log';
import { serveIdentityAlone } from './identity-alone.js';
import type { Ports } from './ports.module.js';

/** What requests come to: they are logged and measured, and answered once what follows from them is done. */
export function openAdapter({ config, logger, metrics, projections }: Ports): MatrixAdapter {
  const adapter = new MatrixAdapter(config);
  watchRequests(adapter.getInstance(), logger, metrics);
  if (!config.isHomeserver) serveIdentityAlone(adapter.getInstance());
  answerAfterEffects(adapter.getInstance(), projections.effects);
  return adapter;
}
