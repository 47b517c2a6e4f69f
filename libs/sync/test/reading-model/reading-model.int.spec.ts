import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { PasswordHasher } from '#accounts/credentials/password-hasher';
import { SyncApp } from '#testing/sync-app';
import { numbersFrom } from '#testing/numbers-from';
import { anyLife, type Life } from './life.js';
import { KNOWN_LIVES } from './known-lives.js';
import { LivingRoom } from './living-room.js';
import { Look } from './look.js';
import { lookByAllWays } from './look-by-all-ways.js';

/** How many lives are lived: `ANNALS_LIVES=10000` for a long look. */
const LIVES = Number(process.env['ANNALS_LIVES'] ?? 300);
const SEED = Number(process.env['ANNALS_LIVES_SEED'] ?? 20_260_101);

let app: SyncApp;
beforeAll(async () => {
  app = await SyncApp.start();
  // Hashing passwords would take longer than all the rest of a life.
  const hasher = app.get(PasswordHasher);
  hasher.hash = async (password) => password;
  hasher.verify = async (hash, password) => hash === password;
});
afterAll(() => app.close());

describe('who may read what', () => {
  it.each(KNOWN_LIVES)('is the same for every way to ask in the known life %#', liveAndLook);

  it(
    'is the same for every way to ask, in every life of a room',
    async () => {
      await fc.assert(fc.asyncProperty(anyLife, liveAndLook), { seed: SEED, numRuns: LIVES, endOnFailure: false });
    },
    LIVES * 2_000 + 60_000,
  );
});

async function liveAndLook(life: Life): Promise<void> {
  const living = await LivingRoom.begin(app, life);
  const numbers = numbersFrom(life.seed);
  for (const step of life.steps) {
    if (step.do === 'look') await look(living, step.who, step.seed, true);
    else await living.live(step);
    if (numbers(2) === 0) await living.keepToken(numbers(life.users));
  }
  for (let who = 0; who < life.users; who++) await look(living, who, life.seed + who, false);
}

async function look(living: LivingRoom, who: number, seed: number, isHasty: boolean): Promise<void> {
  const user = living.user(who);
  if (!living.world.gone.has(user.userId)) await lookByAllWays(new Look(living, user, seed), isHasty);
}
