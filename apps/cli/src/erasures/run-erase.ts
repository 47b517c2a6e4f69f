import { setTimeout as delay } from 'node:timers/promises';
import type { ShownErasure } from '#admin/erasures/erasure-administration';
import type { Erasure } from '#admin/erasures/erasures';
import type { Config } from '#config/config';
import type { ErasurePreview } from '#homeserver/erasure-methods';
import type { ControlClient } from '#projections/control-client';
import type { EffectStatus } from '#projections/effects/effect';
import type { EffectLetter } from '#projections/effects/effect-facts';
import type { RenewalOfErased } from '#processes/renewal/renew-erased';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { callServer } from '../projections/remote-projections.js';
import { Progress } from '../terminal/progress.js';
import type { Terminal } from '../terminal/terminal.js';
import { count, visible } from '../terminal/units.js';
import { heldBy } from '../views/held-by.js';
import { tellProgress } from './run-erasures.js';

const LOOK_EVERY_MS = 300;
/** The effect that carries it out. */
const CARRIES_OUT = 'ordered-erasures';
/** What follows from the end of an account takes a moment; a room's server that is away takes minutes, and holds nothing of what was erased here. */
const FOLLOWS_MS = 30_000;

export interface EraseOptions {
  /** Nothing is done: what would go is told. */
  readonly isDry: boolean;
  /** Other servers are not told. */
  readonly here: boolean;
  /** Settles where that is meant. */
  readonly confirm: (userId: string) => Promise<void>;
}

/** `users erase NAME`. Ctrl-C ends the waiting only: the server goes on. */
export async function eraseUser(
  installation: Installation,
  terminal: Terminal,
  name: string,
  { isDry, here, confirm }: EraseOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const client = await installation.connect();
  if (client === undefined) throw new CliFailure('the server is not running: users are erased while it does');
  try {
    const preview = await callServer<ErasurePreview>(client, 'erasures.preview', { name });
    if (isDry) {
      await printCounts(terminal, 'would go', preview.removed);
      await printCounts(terminal, 'would stay', preview.kept);
      return EXIT.ok;
    }
    await confirm(preview.user_id);
    const id = await callServer<string>(client, 'erasures.order', { name, here });
    const progress = new Progress(terminal, 'erase');
    const ended = await awaitEnd(client, id, progress, signal).finally(() => progress.finish());
    if (ended.refused !== undefined) throw new CliFailure(`nothing was erased: ${visible(ended.refused)}`, EXIT.found);
    await awaitWhatFollows(client, ended.at, terminal, signal);
    const isRenewed = await renewViews(client, installation.config, terminal);
    await terminal.line(`${preview.user_id} is erased`);
    await printCounts(terminal, 'removed', ended.removed);
    await printCounts(terminal, 'kept', ended.kept);
    noteElsewhere(installation.config, terminal);
    return isRenewed ? EXIT.ok : EXIT.found;
  } finally {
    client.close();
  }
}

async function printCounts(terminal: Terminal, what: string, counts: Readonly<Record<string, number>>): Promise<void> {
  for (const [kind, number] of Object.entries(counts)) await terminal.line(`${what}: ${kind} (${count(number)})`);
}

async function awaitEnd(
  client: ControlClient,
  id: string,
  shown: Progress,
  signal: AbortSignal,
): Promise<NonNullable<Erasure['ended']>> {
  for (;;) {
    // Before: what is given up meanwhile has not ended.
    const letters = await callServer<EffectLetter[]>(client, 'effects.dead-letters', { name: CARRIES_OUT });
    const { ended, fact, progress } = await callServer<ShownErasure>(client, 'erasures.status', { id });
    if (ended !== undefined) return ended;
    // That of this order: an earlier one of the same user may have been given up, too.
    const letter = letters.find((one) => one.fact === fact && one.retrying !== true);
    if (letter !== undefined) {
      const again = `once that is mended: annals effects retry ${CARRIES_OUT} ${letter.fact}`;
      throw new CliFailure(
        `not all of it is done, and it was given up: ${visible(letter.error)}; ${again}`,
        EXIT.found,
      );
    }
    if (progress !== undefined)
      shown.show({ done: progress.events, of: undefined, what: 'events', about: tellProgress(progress) });
    await pause(signal, id);
  }
}

/** Until what follows from the end of the account is done: each domain lets go of its own. */
async function awaitWhatFollows(
  client: ControlClient,
  endedAt: number,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const begun = performance.now();
  for (;;) {
    const waiting = (await callServer<EffectStatus[]>(client, 'effects.list')).filter(
      ({ waiting: some, waitingSince }) => some > 0 && (waitingSince ?? 0) <= endedAt,
    );
    if (waiting.length === 0) return;
    if (performance.now() - begun > FOLLOWS_MS) {
      const names = waiting.map(({ name }) => name).join(', ');
      terminal.note(`some of what follows is not done yet (${names}): "annals effects list" says when it is`);
      return;
    }
    await pause(signal);
  }
}

async function pause(signal: AbortSignal, id?: string): Promise<void> {
  await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
  if (!signal.aborted) return;
  const which = id === undefined ? 'all but the last of it is done' : `erasure ${id} goes on`;
  throw new CliFailure(`${which}: "annals erasures list" says what becomes of it`, EXIT.interrupted);
}

/** Takes what was erased out of the file of embedded views. Answers whether nothing is left to do. */
async function renewViews(client: ControlClient, { readModelsUrl }: Config, terminal: Terminal): Promise<boolean> {
  if (readModelsUrl !== undefined) return true;
  try {
    const { behind } = await callServer<RenewalOfErased>(client, 'views.renew');
    if (behind.length > 0) terminal.note(heldBy(behind));
    return behind.length === 0;
  } catch (error) {
    if (!(error instanceof CliFailure) || error.exitCode !== EXIT.found) throw error;
    terminal.note(
      `the file of the views holds what was erased until it is renewed: ${error.message}; see: annals views renew`,
    );
    return false;
  }
}

/** What is not in the hands of this server. */
function noteElsewhere({ eventStoreUrl, readModelsUrl }: Config, terminal: Terminal): void {
  if (eventStoreUrl !== undefined) {
    terminal.note(
      'the event store only withholds what was erased: its bytes go with the next copy of the log (annals log copy), those of what was truncated with a scavenge',
    );
  }
  if (readModelsUrl !== undefined)
    terminal.note('the views are on a server: when it gives the place of deleted rows to others is its own doing');
  terminal.note(
    'back-ups that were made before hold all of it: "annals restore" has it erased again (docs/operations.md)',
  );
}
