import { systemClock } from '#kernel/clock';
import { messageOf } from '#kernel/message-of';
import { type RenewalOfErased, renewErased } from '#processes/renewal/renew-erased';
import { ViewsNotRenewed } from '#read-models/read-model-errors';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { withStoppedProjections } from '../projections/open-projections.js';
import { callServer } from '../projections/remote-projections.js';
import type { Terminal } from '../terminal/terminal.js';
import { duration, size } from '../terminal/units.js';
import { heldBy } from './held-by.js';

/** `views renew`: exit code 1 where they could not be renewed, or where projections hold what was erased yet. */
export async function renewViews(
  installation: Installation,
  terminal: Terminal,
  { json }: { readonly json: boolean },
): Promise<ExitCode> {
  const client = await installation.connect();
  const renewal =
    client === undefined
      ? await renewStopped(installation, terminal)
      : await callServer<RenewalOfErased>(client, 'views.renew').finally(() => client.close());
  const { bytesBefore, bytesAfter, milliseconds, behind } = renewal;
  const text = `the views are renewed, in ${duration(milliseconds / 1000)}: ${size(bytesAfter)}, and were ${size(bytesBefore)}`;
  await terminal.line(json ? JSON.stringify(renewal) : text);
  if (behind.length === 0) return EXIT.ok;
  terminal.note(heldBy(behind));
  return EXIT.found;
}

function renewStopped(installation: Installation, terminal: Terminal): Promise<RenewalOfErased> {
  return withStoppedProjections(installation, terminal, async (views, readModels, events) => {
    await views.start();
    try {
      return await renewErased({ readModels, events, views, clock: systemClock, projections: views.operations });
    } catch (error) {
      throw error instanceof ViewsNotRenewed ? new CliFailure(messageOf(error), EXIT.found) : error;
    }
  });
}
