import { systemClock } from '#kernel/clock';
import { messageOf } from '#kernel/message-of';
import { renewErased } from '#processes/renewal/renew-erased';
import { ViewsNotRenewed } from '#read-models/read-model-errors';
import type { Renewal } from '#read-models/read-model-store';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { withStoppedProjections } from '../projections/open-projections.js';
import { callServer } from '../projections/remote-projections.js';
import type { Terminal } from '../terminal/terminal.js';
import { duration, size } from '../terminal/units.js';

/** `views renew`: exit code 1 where they could not be renewed. */
export async function renewViews(
  installation: Installation,
  terminal: Terminal,
  { json }: { readonly json: boolean },
): Promise<ExitCode> {
  const client = await installation.connect();
  const renewal =
    client === undefined
      ? await renewStopped(installation, terminal)
      : await callServer<Renewal>(client, 'views.renew').finally(() => client.close());
  const { bytesBefore, bytesAfter, milliseconds } = renewal;
  const text = `the views are renewed, in ${duration(milliseconds / 1000)}: ${size(bytesAfter)}, and were ${size(bytesBefore)}`;
  await terminal.line(json ? JSON.stringify(renewal) : text);
  return EXIT.ok;
}

function renewStopped(installation: Installation, terminal: Terminal): Promise<Renewal> {
  return withStoppedProjections(installation, terminal, async (projections, readModels, events) => {
    await projections.start();
    try {
      return await renewErased({ readModels, events, views: projections, clock: systemClock, projections });
    } catch (error) {
      throw error instanceof ViewsNotRenewed ? new CliFailure(messageOf(error), EXIT.found) : error;
    }
  });
}
