import { systemClock } from '#kernel/clock';
import { NotedClock } from '#projections/held-clock';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { openToWrite } from '../open-to-write.js';
import { callServer } from '../projections/remote-projections.js';
import type { Terminal } from '../terminal/terminal.js';

const UNTOLD = { info: (): void => {}, warn: (): void => {} };

/** `clock accept DATE`: has the clock believed at once, where it shows the day that is named. Exit code 1 where it shows another. */
export async function acceptClock(installation: Installation, terminal: Terminal, date: string): Promise<ExitCode> {
  const shown = new Date(systemClock.now()).toISOString();
  const [today = ''] = shown.split('T');
  if (date !== today)
    throw new CliFailure(`the clock shows ${shown}, which is not ${date}: put right what is wrong`, EXIT.found);
  const client = await installation.connect();
  const isNew = await (client === undefined
    ? openToWrite(installation.config, (store) => new NotedClock(store, systemClock, UNTOLD).accept())
    : callServer<boolean>(client, 'clock.accept').finally(() => client.close()));
  await terminal.line(
    isNew ? 'the clock is believed: what is over by it goes within a day' : 'the clock was believed already',
  );
  return EXIT.ok;
}
