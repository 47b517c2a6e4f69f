// Two people who verify each other over Hydrogen, and one who comes back: `node trust.mjs FOLDER BASE`; see visit.mjs.
import assert from 'node:assert/strict';
import { setUpSecretStorage } from './secret-storage.mjs';
import { passwordOf, Session } from './session.mjs';
import { picture, saw, visit } from './visit.mjs';

const phraseOf = (name) => `what only ${name} says`;
const TRUSTED = 'You have verified this user. This user has verified all of their sessions.';

async function unlock(person) {
  await person.logsIn(passwordOf(person.name));
  await person.opensSettings();
  // It is an experiment of Hydrogen's, which starts again for it.
  await person.page.getByLabel('Cross-Signing').check();
  await person.page.getByRole('button', { name: 'Verify by emoji' }).waitFor();
  await person.entersPhrase(phraseOf(person.name));
  await person.page.getByText('Cross-signing master key found and trusted.').waitFor();
}

async function meet(alice, bob, bobsId) {
  await alice.createsRoom('Kitchen', 'What to cook, and who does');
  await alice.invites(bobsId);
  await bob.opensInvitation('Kitchen', 'Alice');
  await bob.accepts();
  await alice.isTold('Bob joined the room');
  await alice.turnsTo('Bob');
  await bob.opensInvitation('Alice', 'wants to chat with you');
  await bob.accepts();
  await alice.writes('Is it you?');
  await bob.reads('Is it you?');
}

async function verify(alice, bob) {
  const both = [alice.page, bob.page];
  await alice.seesOf('Bob', 'You have not verified this user.');
  await alice.page.getByRole('button', { name: 'Verify', exact: true }).click();
  const request = bob.page.locator('.VerificationTileView', { hasText: 'wants to verify' });
  await request.getByRole('button', { name: 'Accept' }).click();
  for (const page of both) await page.getByRole('button', { name: 'Proceed' }).waitFor();
  await alice.page.getByRole('button', { name: 'Proceed' }).click();

  for (const page of both) await page.getByText('Do the emojis match?').waitFor();
  const [hers, his] = await Promise.all(both.map((page) => page.locator('.EmojiContainer').allTextContents()));
  assert.equal(hers.length, 7);
  assert.deepEqual(hers, his);
  await picture(alice, 'verification');

  for (const page of both) await page.getByRole('button', { name: 'They match' }).click();
  for (const page of both) {
    await page.getByText('Verification completed successfully!').waitFor();
    await page.getByRole('button', { name: 'Got it' }).click();
  }
  await alice.seesOf('Bob', TRUSTED);
  await bob.seesOf('Alice', TRUSTED);
}

async function comeAsNewDevice(alice, bob) {
  await bob.opensSettings();
  await bob.page.getByText('All keys are backed up.').waitFor();
  await bob.logsOut();
  await bob.logsIn(passwordOf('bob'));
  await bob.opens('Alice');
  await bob.reads("The sender hasn't sent us the key for this message yet.");
  await alice.seesOf('Bob', 'You have verified this user, but they have one or more unverified sessions.');
  await bob.opensSettings();
  await bob.entersPhrase(phraseOf('bob'));
  await bob.opens('Alice');
  await bob.reads('Is it you?');
  await alice.seesOf('Bob', TRUSTED);
}

await visit(['alice', 'bob'], async (base, alice, bob) => {
  const sessions = [];
  for (const { name } of [alice, bob]) {
    const session = await Session.logIn(base, name);
    await session.callsThemselves(name.replace(/^./, (letter) => letter.toUpperCase()));
    await setUpSecretStorage(session, phraseOf(name));
    await session.ask('POST', '/logout');
    sessions.push(session);
  }
  for (const person of [alice, bob]) await unlock(person);
  saw('unlocked their keys by their phrases');
  await meet(alice, bob, sessions[1].userId);
  await verify(alice, bob);
  saw('verified each other by emoji');
  await comeAsNewDevice(alice, bob);
  saw('trusted a new device, which read what was written before it came');
});
