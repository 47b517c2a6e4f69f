// A bot of matrix-bot-sdk and a user of it, without encryption: `node bot-sdk.cjs FOLDER BASE`, where FOLDER has it in node_modules.
// Writes what it saw to be right; see test/support/client-program.ts.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { mkdtempSync } = require('node:fs');
const { createRequire } = require('node:module');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const [, , folder, base] = process.argv;
const requireThere = createRequire(join(folder, 'package.json'));
// The machine code of its encryption comes from no registry, and all of it is required together: nothing stands in for that part.
const missing = createRequire(requireThere.resolve('matrix-bot-sdk')).resolve('@matrix-org/matrix-sdk-crypto-nodejs');
require.cache[missing] = { id: missing, filename: missing, loaded: true, exports: {} };
const sdk = requireThere('matrix-bot-sdk');
sdk.LogService.setLevel(sdk.LogLevel.ERROR);
// What it finds wrong while it runs, it only logs: that goes to where complaints go.
const complaint = (...words) => console.error(...words);
sdk.LogService.setLogger({ info() {}, warn: complaint, error: complaint, debug() {}, trace() {} });

const saw = (what) => console.log(what);
async function restart() {
  console.log('restart');
  await once(process.stdin, 'data');
}

/** A client that keeps where it is in a file, and remembers what it heard. */
class User {
  heard = [];
  constructor(token, file) {
    this.token = token;
    this.file = file;
  }

  static async logIn(name) {
    const { accessToken } = await new sdk.MatrixAuth(base).passwordLogin(name, `secret of ${name}`, 'bot-sdk');
    return new User(accessToken, join(mkdtempSync(join(tmpdir(), 'annals-bot-sdk-')), 'bot.json'));
  }

  async open(answers) {
    this.client = new sdk.MatrixClient(base, this.token, new sdk.SimpleFsStorageProvider(this.file));
    sdk.AutojoinRoomsMixin.setupOnClient(this.client);
    this.client.on('room.message', async (roomId, event) => {
      const body = event.content?.body;
      this.heard.push(body);
      // From here: it would not ask again, had it been stopped while it had no request under way.
      if (answers && body === 'good night') this.client.stop();
      if (answers && body?.startsWith('!echo ')) await this.client.replyNotice(roomId, event, body.slice(6));
    });
    await this.client.start();
  }

  async until(what, holds) {
    const deadline = Date.now() + 60_000;
    while (!(await holds())) {
      if (Date.now() > deadline) throw new Error(`never saw ${what}; heard ${JSON.stringify(this.heard)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  hears(what) {
    // Answers quote what they answer.
    return this.until(what, () => this.heard.some((body) => body?.endsWith(what)));
  }
}

async function main() {
  const bot = await User.logIn('bot');
  const alice = await User.logIn('alice');
  await bot.open(true);
  await alice.open(false);
  const botId = await bot.client.getUserId();
  const aliceId = await alice.client.getUserId();

  const roomId = await alice.client.createRoom({ preset: 'public_chat', room_alias_name: 'bots', invite: [botId] });
  await alice.until('the bot', async () => (await alice.client.getJoinedRoomMembers(roomId)).includes(botId));
  await alice.client.sendText(roomId, '!echo one');
  await alice.hears('one');
  await alice.until('an answer', () => alice.heard.length >= 2);
  saw('joined where it was invited, and answered');

  await restart();
  await alice.client.sendText(roomId, '!echo two');
  await alice.until('an answer', () => alice.heard.filter((body) => body?.endsWith('two')).length === 2);
  await alice.client.sendText(roomId, 'good night');
  await bot.hears('good night');
  await alice.client.sendText(roomId, '!echo three');
  await restart();
  await bot.open(true);
  await alice.until('an answer', () => alice.heard.filter((body) => body?.endsWith('three')).length === 2);
  assert.deepEqual(
    bot.heard.filter((body) => body?.startsWith('!echo')),
    ['!echo one', '!echo two', '!echo three'],
  );
  saw('went on after restarts, with what came meanwhile, and answered nothing twice');

  assert.equal(await bot.client.resolveRoom(`#bots:${aliceId.split(':').slice(1).join(':')}`), roomId);
  await bot.client.setDisplayName('The bot');
  assert.equal((await alice.client.getUserProfile(botId)).displayname, 'The bot');
  await alice.client.setUserPowerLevel(botId, roomId, 50);
  assert.equal(await bot.client.userHasPowerLevelFor(botId, roomId, 'm.room.name', true), true);
  await bot.client.sendStateEvent(roomId, 'm.room.name', '', { name: 'Bots' });
  assert.equal((await alice.client.getRoomStateEvent(roomId, 'm.room.name', '')).name, 'Bots');
  const said = await alice.client.sendText(roomId, 'what should not have been said');
  await bot.client.redactEvent(roomId, said, 'no');
  assert.deepEqual((await alice.client.getEvent(roomId, said)).content, {});
  saw('moderated');

  // `createSpace` gives the creator a power level, which no room of version 12 may have.
  const space = await alice.client.getSpace(
    await alice.client.createRoom({ name: 'All of it', creation_content: { type: 'm.space' } }),
  );
  await space.addChildRoom(roomId);
  assert.deepEqual(Object.keys(await space.getChildEntities()), [roomId]);
  saw('made a space');

  for (const user of [bot, alice]) user.client.stop();
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
