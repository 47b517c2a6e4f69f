// Two people who talk over Hydrogen: `node talk.mjs FOLDER BASE`; see visit.mjs.
import assert from 'node:assert/strict';
import { passwordOf, Session } from './session.mjs';
import { until } from './until.mjs';
import { picture, restart, saw, visit } from './visit.mjs';

async function logIn(alice, bob) {
  await alice.logsIn('not the secret');
  await alice.page.getByText("password don't seem to be correct").waitFor();
  assert.deepEqual(alice.complaints.splice(0), ['alice: POST /_matrix/client/r0/login: 403']);
  await bob.page.getByLabel('Username').waitFor();
  await picture(bob, 'login');
  for (const person of [alice, bob]) {
    await person.logsIn(passwordOf(person.name));
    await person.page.locator('.RoomList').waitFor();
  }
  saw('logged in');
}

async function meet(alice, bob, carol) {
  await alice.createsRoom('Kitchen', 'What to cook, and who does');
  await alice.invites(carol.userId.replace('carol', 'bob'));
  await bob.opensInvitation('Kitchen', 'Alice');
  await picture(bob, 'invitation');
  await bob.accepts();
  await alice.isTold('Bob joined the room');
  saw('met in an encrypted room');
}

async function talk(alice, bob) {
  await alice.writes('What shall we cook tonight?');
  await bob.reads('What shall we cook tonight?');
  await bob.writes('Soup');
  await alice.reads('Soup');
  await alice.choosesFor('Soup', 'Reply');
  await alice.writes('With bread?');
  await bob.message('With bread?').locator('.ReplyPreviewView', { hasText: 'Soup' }).waitFor();
  await bob.choosesFor('With bread?', '👍');
  await alice.message('With bread?').getByText('👍 1').waitFor();
  await bob.writes('Or shall we go out?');
  await alice.reads('Or shall we go out?');
  await bob.choosesFor('Or shall we go out?', 'Delete');
  await alice.reads('This message has been deleted');
  await picture(alice, 'room');
  saw('talked, answered, reacted, took back');
}

async function seeWhatIsNew(base, alice, bob) {
  const session = await Session.logIn(base, 'alice');
  const [roomId] = await alice.roomIds();
  const room = `/rooms/${encodeURIComponent(roomId)}`;

  await bob.opensSettings();
  await alice.writes('Are you there?');
  const badge = bob.tile('Kitchen').locator('.badge:not(.hidden)');
  await badge.getByText('1').waitFor();
  await bob.opens('Kitchen');
  await bob.reads('Are you there?');
  await badge.waitFor({ state: 'detached' });
  await until('the receipt', async () => {
    const { rooms } = await session.ask('GET', '/sync');
    const receipts = rooms.join[roomId].ephemeral.events.filter(({ type }) => type === 'm.receipt');
    const readers = receipts
      .flatMap(({ content }) => Object.values(content))
      .flatMap((read) => Object.keys(read['m.read'] ?? {}));
    return readers.some((userId) => userId.startsWith('@bob:'));
  });

  await session.ask('PUT', `${room}/state/m.room.name`, { name: 'Dining room' });
  for (const person of [alice, bob]) {
    await person.tile('Dining room').waitFor();
    await person.isTold('Alice named the room "Dining room"');
  }

  const { chunk } = await session.ask('GET', `${room}/messages?dir=b&limit=100`);
  const types = new Set(chunk.map(({ type }) => type));
  assert.equal(types.has('m.room.encrypted') && !types.has('m.room.message'), true, [...types].join());
  saw('saw what is new, told what was read, and gave the server nothing to read');
}

async function comeBack(alice, bob) {
  await bob.closesTab();
  await alice.writes('Dinner is ready');
  await bob.opensTab();
  await bob.opens('Dining room');
  for (const body of ['Dinner is ready', 'What shall we cook tonight?']) await bob.reads(body);
  await bob.writes('I am coming');
  await alice.reads('I am coming');
  saw('went on in a new tab, with what came meanwhile');
}

async function goOnAfterRestarts(alice, bob) {
  await restart();
  await alice.writes('Where were you?');
  await bob.reads('Where were you?');
  await bob.writes('On the stairs');
  await alice.reads('On the stairs');
  await restart();
  for (const person of [alice, bob]) {
    await person.page.reload();
    await person.reads('On the stairs');
  }
  await bob.writes('It tastes good');
  await alice.reads('It tastes good');
  saw('went on after restarts of the server, and of the pages');
}

async function readALot(alice, carol) {
  const options = { preset: 'public_chat', name: 'Library', room_alias_name: 'library' };
  const { room_id: library } = await carol.ask('POST', '/createRoom', options);
  for (let page = 1; page <= 120; page++) await carol.says(library, `This is page ${page}.`);
  await alice.joinsRoom(carol.userId.replace('@carol', '#library'), 'Library');
  await alice.reads('This is page 120.');
  await alice.scrollsBackTo('This is page 1.');
  await picture(alice, 'history');
  saw('joined a public room by its alias, and read it from its end to its beginning');
}

async function comeAsNewDevice(base, alice, bob) {
  const session = new Session(base, await bob.accessToken());
  await session.ask('GET', '/account/whoami');
  await bob.logsOut();
  assert.equal((await session.request('GET', '/account/whoami')).status, 401);

  await bob.logsIn(passwordOf('bob'));
  await bob.opens('Dining room');
  await bob.writes('It is me, on a new device');
  await alice.opens('Dining room');
  await alice.reads('It is me, on a new device');
  saw('logged out, and came back as a new device');
}

async function talkAlone(alice, bob) {
  await bob.turnsTo('Alice');
  await alice.opensInvitation('Bob', 'wants to chat with you');
  await alice.accepts();
  // In a new room, for Hydrogen gives a new device no key that it began to use before.
  await bob.writes('Just between us');
  await alice.reads('Just between us');
  await alice.writes('Go on');
  await bob.reads('Go on');
  await bob.leavesRoom();
  await alice.isTold('Bob left the room');
  await bob.tile('Alice').waitFor({ state: 'detached' });
  saw('talked alone, and left');
}

await visit(['alice', 'bob'], async (base, alice, bob) => {
  for (const name of ['Alice', 'Bob']) await (await Session.logIn(base, name.toLowerCase())).callsThemselves(name);
  const carol = await Session.logIn(base, 'carol');
  await logIn(alice, bob);
  await meet(alice, bob, carol);
  await talk(alice, bob);
  await seeWhatIsNew(base, alice, bob);
  await comeBack(alice, bob);
  await goOnAfterRestarts(alice, bob);
  await readALot(alice, carol);
  await comeAsNewDevice(base, alice, bob);
  await talkAlone(alice, bob);
});
